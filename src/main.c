/*
 * whoisd: the command line. One invocation is either the server or one command; commands go to the
 * running server through its control socket, or are carried out here when none runs.
 */
#include "config.h" /* Written by configure. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "commands.h"
#include "configuration.h"
#include "control.h"
#include "daemon.h"
#include "process.h"

#define EXIT_USAGE       2
#define EXIT_NOT_RUNNING 3
#define EXIT_DEAD        1 /* LSB: dead, and its pid file is left. */

static void print_usage(FILE *out)
{
    fprintf(
        out,
        "Usage: whoisd [--config FILE] [--daemon]      run the server\n"
        "       whoisd [--config FILE] --COMMAND ...    ask the running server, or work alone\n"
        "       whoisd [--config FILE] --check-config   read the configuration, list every option\n"
        "       whoisd --version | --help\n"
        "\nFILE is ./properties, or what WHOIS_CONFIG names; its folder is the whois root.\n"
        "\nCommands:\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        fprintf(out, "  --%s %s\n        %s\n", command->name, command->usage, command->help);
    }
}

static int usage_error(const char *text, const char *what)
{
    fprintf(stderr, "whoisd: %s%s\nTry: whoisd --help\n", text, what);
    return EXIT_USAGE;
}

static int check_config(const char *path)
{
    struct configuration *configuration;
    struct why why;

    if (configuration_read(path, &configuration, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    configuration_free(configuration);
    configuration_print_options();
    printf("%s: good\n", path);
    return EXIT_SUCCESS;
}

/* The absolute name of a file, which need not exist; its folder must. @return false for what is no
 * file here, such as a URL. */
static bool name_absolutely(const char *word, char path[PATH_MAX])
{
    const char *slash = strrchr(word, '/'), *base = slash != NULL ? slash + 1 : word;
    char folder[PATH_MAX];
    size_t len;

    if (realpath(word, path) != NULL) {
        return true;
    }
    snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(base - word) : 1,
             slash != NULL ? word : ".");
    if (realpath(folder, path) == NULL) {
        return false;
    }
    len = strlen(path);
    if (path[len - 1] == '/') {
        len--; /* The folder is /. */
    }
    return (size_t)snprintf(path + len, PATH_MAX - len, "/%s", base) < PATH_MAX - len;
}

/* The working directory of whoever carries the command out is the whois root: what names a file
 * here is given its name there. */
static void name_files_from_root(const struct process_paths *paths, size_t count, char **words)
{
    char path[PATH_MAX];

    for (size_t i = 2; i < count; i++) {
        if (strcmp(words[i], "--serial") == 0) {
            i++; /* A number, whatever files are called. */
        } else if (words[i][0] != '-' && name_absolutely(words[i], path)) {
            words[i] = strdup(process_name_in_root(paths, path));
        }
    }
}

static int report_not_running(const struct process_paths *paths)
{
    if (process_running(paths) < 0) {
        printf("whois is dead, and %s is left\n", paths->pid);
        return EXIT_DEAD;
    }
    printf("whois is not running\n");
    return EXIT_NOT_RUNNING;
}

static int run_command(const char *config_path, const struct command *command, size_t count,
                       char **words)
{
    struct process_paths paths;
    struct why why;
    int exit_code = EXIT_FAILURE;
    enum err rc;

    if (count - 1 < command->min_words || count - 1 > command->max_words) {
        fprintf(stderr, "Usage: whoisd --%s %s\n", command->name, command->usage);
        return EXIT_USAGE;
    }
    if (process_paths_init(&paths, config_path, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    if (command->takes_files) {
        name_files_from_root(&paths, count, words);
    }
    rc = control_send(paths.control, count, words, &exit_code, &why);
    if (rc == ERR_OK) {
        return exit_code;
    }
    if (rc != ERR_NOT_FOUND) {
        fprintf(stderr, "%s\n", why.text);
        return CONTROL_REFUSED;
    }
    if (command->needs == COMMAND_SERVER) {
        return report_not_running(&paths);
    }
    return daemon_run_alone(config_path, count, words);
}

int main(int argc, char **argv)
{
    const char *config_path = getenv("WHOIS_CONFIG");
    bool in_background = false;
    int i = 1;

    signal(SIGPIPE, SIG_IGN);
    fault_init();
    if (config_path == NULL || config_path[0] == '\0') {
        config_path = "properties";
    }
    for (; i < argc; i++) {
        const char *word = argv[i];

        if (strcmp(word, "--config") == 0) {
            if (++i == argc) {
                return usage_error("--config needs a file", "");
            }
            config_path = argv[i];
        } else if (strcmp(word, "--daemon") == 0) {
            in_background = true;
        } else if (strcmp(word, "--version") == 0) {
            printf("whoisd %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        } else if (strcmp(word, "--help") == 0) {
            print_usage(stdout);
            return EXIT_SUCCESS;
        } else if (strcmp(word, "--check-config") == 0) {
            return check_config(config_path);
        } else if (strncmp(word, "--", 2) == 0 && command_find(word + 2) != NULL) {
            const struct command *command = command_find(word + 2);

            argv[i] += 2;
            return run_command(config_path, command, (size_t)(argc - i), argv + i);
        } else {
            return usage_error("unknown argument ", word);
        }
    }
    return daemon_run(config_path, in_background);
}
