/*
 * The dump reader: files of every form, broken ones too.
 */
#include "mirror/dump.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_OBJECT = 4096, MAX_FILES = 4 };

static char folder[] = "/tmp/dump_test.XXXXXX";
static char paths[MAX_FILES][64];
static size_t path_count;

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    for (size_t i = 0; i < path_count; i++) {
        unlink(paths[i]);
    }
    rmdir(folder);
}

TestSuite(dump, .init = make_folder, .fini = remove_folder);

static void add_file(struct str bytes)
{
    FILE *file;

    snprintf(paths[path_count], sizeof(paths[0]), "%s/%zu.db", folder, path_count);
    file = fopen(paths[path_count], "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
    cr_assert_eq(fclose(file), 0);
    path_count++;
}

static void gzip_member(struct str text, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)text.at, .avail_in = (uInt)text.len};

    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    buf_reserve(out, deflateBound(&z, text.len));
    z.next_out = (Bytef *)out->at + out->len;
    z.avail_out = (uInt)(out->cap - out->len);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len = out->cap - z.avail_out;
    deflateEnd(&z);
}

/* All objects of the files, each in brackets; *rc is how the reading ended. */
static struct buf read_all(size_t max_object, enum err *rc, struct why *why)
{
    const char *list[MAX_FILES];
    struct dump *dump;
    struct buf out = {0};
    struct str object;

    for (size_t i = 0; i < path_count; i++) {
        list[i] = paths[i];
    }
    *rc = dump_open(list, path_count, max_object, &dump, why);
    if (*rc == ERR_OK) {
        while ((*rc = dump_next(dump, &object, why)) == ERR_OK) {
            buf_printf(&out, "[%.*s]", STR_ARG(object));
        }
        if (*rc == ERR_NOT_FOUND) {
            cr_expect_eq(dump_fraction(dump), 1.0);
        }
        if (dump_tombstones(dump) > 0) {
            buf_printf(&out, " %llu tombstones", (unsigned long long)dump_tombstones(dump));
        }
        dump_close(dump);
    }
    buf_add_char(&out, '\0');
    return out;
}

static void expect_objects(const char *objects)
{
    struct why why = {""};
    enum err rc;
    struct buf got = read_all(MAX_OBJECT, &rc, &why);

    cr_expect_eq(rc, ERR_NOT_FOUND, "%s: %s", err_text(rc), why.text);
    cr_expect_str_eq(got.at, objects);
    buf_free(&got);
}

struct form {
    char name[48];
    char text[300];
    char objects[300];
};

ParameterizedTestParameters(dump, reads_every_form)
{
    // clang-format off
    static struct form forms[] = {
        {"two objects", "person: A\nsource: R\n\nperson: B\n\n",
         "[person: A\nsource: R\n][person: B\n]"},
        {"as the reference writes it", "# terms\n#\n% more\n\nperson: A\n\nperson: B\n",
         "[person: A\n][person: B\n]"},
        {"no final line end", "person: A\n\nperson: B", "[person: A\n][person: B\n]"},
        {"ends in a comment without line end", "person: A\n\n# EOF", "[person: A\n]"},
        {"header touches the object", "# terms\nperson: A\n\n", "[person: A\n]"},
        {"comment inside an object", "person: A\n# x\nsource: R\n\n", "[person: A\nsource: R\n]"},
        {"CR LF", "person: A\r\nsource: R\r\n\r\nperson: B\r\n",
         "[person: A\nsource: R\n][person: B\n]"},
        {"many empty lines", "\n\n\nperson: A\n\n\n\nperson: B\n\n\n",
         "[person: A\n][person: B\n]"},
        {"line of blanks", "person: A\n \nsource: R\n\n", "[person: A\n \nsource: R\n]"},
        {"tombstones", "*xxte: x\n*xxne: y\n\nperson: A\n\n*xxrt: z\n",
         "[person: A\n] 2 tombstones"},
        {"Latin-1", "person: J\xfcrg\n\n", "[person: J\xfcrg\n]"},
        {"nothing", "", ""},
        {"only comments", "# a\n\n# b\n", ""},
        {"protocol words", "remarks: ADD 1\n+%END\n\n", "[remarks: ADD 1\n+%END\n]"},
    };
    // clang-format on
    return cr_make_param_array(struct form, forms, sizeof(forms) / sizeof(forms[0]));
}

ParameterizedTest(struct form *f, dump, reads_every_form)
{
    add_file(str_from(f->text));
    expect_objects(f->objects);
}

Test(dump, reads_gzip_by_content_not_by_name)
{
    struct buf packed = {0};

    gzip_member(STR("person: A\n\nperson: B\n"), &packed);
    add_file(buf_str(&packed));
    expect_objects("[person: A\n][person: B\n]");
    buf_free(&packed);
}

Test(dump, reads_gzip_members_as_one_text)
{
    struct buf packed = {0};

    gzip_member(STR("person: A\n\nper"), &packed);
    gzip_member(STR("son: B\n\n"), &packed);
    gzip_member(STR("person: C"), &packed);
    buf_add(&packed, "\0\0\0\0", 4);
    add_file(buf_str(&packed));
    expect_objects("[person: A\n][person: B\n][person: C\n]");
    buf_free(&packed);
}

Test(dump, reads_split_files_plain_and_gzip)
{
    struct buf packed = {0};

    gzip_member(STR("# x\n\nperson: B"), &packed);
    add_file(STR("# x\n\nperson: A"));
    add_file(buf_str(&packed));
    add_file(STR(""));
    add_file(STR("person: C\n\n"));
    expect_objects("[person: A\n][person: B\n][person: C\n]");
    buf_free(&packed);
}

Test(dump, names_a_missing_file_before_reading)
{
    const char *list[] = {paths[0], "/nonexistent/ripe.db.route.gz"};
    struct dump *dump;
    struct why why;

    add_file(STR("person: A\n"));
    cr_assert_eq(dump_open(list, 2, MAX_OBJECT, &dump, &why), ERR_IO);
    cr_expect_str_eq(why.text, "/nonexistent/ripe.db.route.gz: No such file or directory");
}

Test(dump, opens_file_urls_and_refuses_others)
{
    char url[80];
    const char *list[] = {url};
    struct dump *dump;
    struct str object;
    struct why why;

    add_file(STR("person: A\n"));
    snprintf(url, sizeof(url), "file://%s", paths[0]);
    cr_assert_eq(dump_open(list, 1, MAX_OBJECT, &dump, &why), ERR_OK);
    cr_expect_eq(dump_next(dump, &object, &why), ERR_OK);
    dump_close(dump);
    strcpy(url, "gopher://x/ripe.db.gz");
    cr_expect_eq(dump_open(list, 1, MAX_OBJECT, &dump, &why), ERR_IO);
}

/* Text that does not shrink to nothing, so that every cut falls inside the data. */
static struct buf gzip_of_many(void)
{
    struct buf text = {0}, packed = {0};

    for (unsigned i = 0; i < 2000; i++) {
        buf_printf(&text, "person: P%u\nremarks: %u\n\n", i, i * 2654435761u);
    }
    gzip_member(buf_str(&text), &packed);
    buf_free(&text);
    return packed;
}

Test(dump, reports_truncated_gzip_wherever_it_is_cut)
{
    struct buf packed = gzip_of_many();
    char place[160];

    for (size_t cut = 3; cut < packed.len; cut += packed.len / 40) {
        struct why why = {""};
        struct buf got;
        enum err rc;

        path_count = 0;
        add_file(str_sub(buf_str(&packed), 0, cut));
        got = read_all(MAX_OBJECT, &rc, &why);
        snprintf(place, sizeof(place), "%s: gzip data is cut off at byte %zu", paths[0], cut);
        cr_expect_eq(rc, ERR_CORRUPT);
        cr_expect_str_eq(why.text, place);
        buf_free(&got);
    }
    buf_free(&packed);
}

Test(dump, reports_damaged_gzip)
{
    struct buf packed = gzip_of_many();
    struct why why = {""};
    struct buf got;
    enum err rc;

    packed.at[packed.len - 6] ^= 0x55; /* Inside the checksum. */
    add_file(buf_str(&packed));
    got = read_all(MAX_OBJECT, &rc, &why);
    cr_expect_eq(rc, ERR_CORRUPT);
    cr_expect_not_null(strstr(why.text, paths[0]));
    cr_expect_not_null(strstr(why.text, "damaged at byte"));
    buf_free(&got);
    buf_free(&packed);
}

Test(dump, reports_garbage_behind_gzip)
{
    struct buf packed = {0};
    struct why why = {""};
    struct buf got;
    enum err rc;

    gzip_member(STR("person: A\n"), &packed);
    buf_printf(&packed, "<html>");
    add_file(buf_str(&packed));
    got = read_all(MAX_OBJECT, &rc, &why);
    cr_expect_eq(rc, ERR_CORRUPT);
    buf_free(&got);
    buf_free(&packed);
}

static struct buf object_of(size_t length)
{
    struct buf text = {0};

    buf_reserve(&text, length);
    memset(text.at, 'x', length);
    text.at[length - 1] = '\n';
    text.len = length;
    return text;
}

Test(dump, bounds_objects)
{
    struct buf fits = object_of(MAX_OBJECT), too_long = object_of(MAX_OBJECT + 1);
    struct why why = {""};
    struct buf got;
    enum err rc;

    add_file(buf_str(&fits));
    got = read_all(MAX_OBJECT, &rc, &why);
    cr_expect_eq(rc, ERR_NOT_FOUND);
    buf_free(&got);
    add_file(buf_str(&too_long));
    got = read_all(MAX_OBJECT, &rc, &why);
    cr_expect_eq(rc, ERR_LIMIT);
    cr_expect_not_null(strstr(why.text, paths[1]));
    buf_free(&got);
    buf_free(&fits);
    buf_free(&too_long);
}

Test(dump, reads_objects_larger_than_its_buffer)
{
    enum { LARGE = 5 * 1024 * 1024 };
    struct buf large = object_of(LARGE);
    struct why why = {""};
    struct buf got;
    enum err rc;

    buf_printf(&large, "\nperson: A\n");
    add_file(buf_str(&large));
    got = read_all(20 * 1024 * 1024, &rc, &why);
    cr_expect_eq(rc, ERR_NOT_FOUND);
    cr_expect_eq(got.len, LARGE + strlen("[][person: A\n]") + 1);
    cr_expect_str_eq(got.at + LARGE, "\n][person: A\n]");
    buf_free(&got);
    buf_free(&large);
}
