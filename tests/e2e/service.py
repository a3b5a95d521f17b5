#!/usr/bin/python3
"""The service: whois.init and its exit codes, commands through the running server, the operator's hand
in the database, a database that comes and goes, several mirrors."""

import gzip
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

import harness
from harness import (DATABASE, DATA, DUMP, FINAL, JOURNAL, LAST, PATIENCE, ROOT, SERIAL, SMALL,
                     Session, Whois, blocks, equal, free_port, has_ended, long_only, wait_for)
from oracle import Registry

KEY = "AS-TEST-NEST-L1"


def expect_in(part, text):
    if not re.search(part, text):
        raise AssertionError("no /%s/ in %r" % (part, text))


def pid_of(lab):
    with open(os.path.join(lab.var, "whois.pid"), encoding="ascii") as file:
        return int(file.read())


# --- whois.init ---

def test_init_exit_codes(lab):
    lab.load()
    code, _ = lab.init("status", check=False)
    equal(code, 3, "status of a server never started")
    _, text = lab.init("start")
    expect_in("^Starting whois", text)
    _, text = lab.init("start")
    expect_in("already running", text)
    expect_in("RIPE-GRS", lab.init("status", check=False)[1])
    answer = lab.ask("-s RIPE-GRS -r " + KEY)
    expect_in("as-set: +" + KEY, answer.decode("latin-1"))
    pid = pid_of(lab)
    lab.init("restart")
    if pid_of(lab) == pid:
        raise AssertionError("restart kept the process")
    _, text = lab.init("stop")
    expect_in("^Stopping whois", text)
    _, text = lab.init("stop")
    expect_in("does not seem to be running", text)
    equal(lab.init("status", check=False)[0], 3, "status of a stopped server")
    for wrong in ([], ["jmx"], ["setserial", "RIPE-GRS"], ["load", "RIPE-GRS"], ["start", "now"],
                  ["status", "--yaml"]):
        equal(lab.init(*wrong, check=False)[0], 2, "exit code of %r" % wrong)


def test_init_after_a_crash(lab):
    lab.load()
    lab.init("start")
    pid = pid_of(lab)
    os.kill(pid, signal.SIGKILL)
    wait_for("the end of the process", lambda: has_ended(pid))
    code, text = lab.init("status", check=False)
    equal(code, 1, "status of a killed server: " + text)
    lab.init("start")
    lab.init("stop")


def test_a_command_at_work_is_no_server(lab):
    """It keeps a server from starting, and nobody takes it for one and ends it."""
    lab.start()
    lab.stop()
    reader = Session(lab.database.option_file)
    reader.sql("BEGIN")
    reader.sql("SELECT 1 FROM last LIMIT 1")
    with subprocess.Popen([harness.WHOISD, "--config", os.path.join(lab.root, "properties"), "--load",
                           "RIPE-GRS", DUMP], stdout=subprocess.DEVNULL) as command:
        lab.wait_for("a load that waits", lab.database.waits_for_a_table)
        code, text = lab.init("start", check=False)
        equal(code, 1, "exit code of start: " + text)
        expect_in("a command that is at work holds", text)
        expect_in("does not seem to be running", lab.init("stop")[1])
        equal(command.poll(), None, "the command goes on")
        reader.sql("COMMIT")
        reader.close()
    equal(command.returncode, 0, "exit code of the command")


def test_who_may_not_ask_is_told_so(lab):
    """4 is neither "dead" nor "not running"; nobody is no member of the server's group."""
    if os.geteuid() != 0:
        return
    lab.load()
    lab.start()
    os.chmod(os.path.realpath(lab.var), 0o755)
    code, text = lab.whoisd_as("nobody", "--status")
    equal(code, 4, "exit code of a refused status: " + text)
    expect_in("not allowed", text)
    os.chmod(os.path.realpath(lab.var), 0o700)
    code, text = lab.whoisd_as("nobody", "--status")
    equal(code, 4, "exit code of a status without access to var/: " + text)
    code, text = lab.init("status", check=False, user="nobody")
    equal(code, 4, "exit code of whois.init without access to var/: " + text)
    expect_in("may not look", text)
    lab.stop()


def test_a_number_is_a_serial_whatever_files_are_called(lab):
    with open(os.path.join(lab.root, str(SERIAL)), "w", encoding="ascii"):
        pass
    lab.init("load", "RIPE-GRS", DUMP, str(SERIAL))
    equal(lab.database.max_serial(), SERIAL, "serial after whois.init load")
    lab.init("setserial", "RIPE-GRS", str(SERIAL + 1))
    with open(os.path.join(lab.root, str(SERIAL + 2)), "w", encoding="ascii"):
        pass
    lab.whoisd("--reload", "RIPE-GRS", DUMP, "--serial", str(SERIAL + 2), cwd=lab.root)
    lab.whoisd("--setserial", "RIPE-GRS", str(SERIAL + 2), cwd=lab.root)
    equal(lab.database.max_serial(), SERIAL + 2, "serial after --setserial")


def test_start_names_what_is_in_the_way(lab):
    lab.options["port.query"] = "1o43"
    code, text = lab.init("start", check=False)
    equal(code, 1, "exit code of a start with a bad value: " + text)
    expect_in("properties.*port.query", text)
    equal("The last lines" in text, False, "whether it shows a log that there is not: " + text)
    lab.options["port.query"] = lab.port
    lab.load()
    with socket.create_server(("127.0.0.1", lab.port)):
        code, text = lab.init("start", check=False)
    equal(code, 1, "exit code of a start on a used port: " + text)
    expect_in(str(lab.port), text)
    lab.options["log.level"] = "LOUD"
    code, text = lab.init("start", check=False)
    equal(code, 1, "exit code of a start with an unknown log level: " + text)
    expect_in("properties.*log.level.*DEBUG, INFO", text)


def test_quickstart_names_a_used_port_before_it_builds(lab):
    clone = os.path.join(lab.root, "clone")
    os.mkdir(clone)
    shutil.copy(os.path.join(ROOT, "quickstart.sh"), clone)
    shutil.copytree(os.path.join(ROOT, "etc"), os.path.join(clone, "etc"))
    with open(os.path.join(clone, "quickstart.sh"), encoding="ascii") as file:
        text = file.read()
    packages = re.search('^run_packages="(.*?)"', text, re.M | re.S).group(1).split()
    state = subprocess.run("dpkg-query -W -f '${Status}\n' " + " ".join(packages), shell=True,
                           capture_output=True, text=True)
    if state.stdout.count(" installed\n") != len(packages):
        return  # Tests install nothing.
    for variable, other, what in (("WHOIS_PORT", "UPSTREAM_PORT", "whoisd"),
                                  ("UPSTREAM_PORT", "WHOIS_PORT", "the NRTM upstream")):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            run = subprocess.run([clone + "/quickstart.sh"], capture_output=True, text=True,
                                 env={variable: str(port), other: str(free_port())})
        equal(run.returncode, 1, "exit code of quickstart: " + run.stdout + run.stderr)
        expect_in(r"port %d, for %s, is in use by \S+, pid %d;" % (port, what, os.getpid()),
                  run.stderr)
        equal(os.path.exists(os.path.join(clone, "build")), False, "whether something was built")


def test_second_server_is_refused(lab):
    lab.load()
    lab.start()
    lab.options["port.query"] = free_port()
    code, text = lab.whoisd(check=False)
    equal(code, 1, "exit code of a second server: " + text)
    expect_in("running", text)
    lab.stop()


def test_sample_properties_name_every_option(lab):
    with open(os.path.join(ROOT, "etc", "whois.properties.example"), encoding="ascii") as file:
        sample = file.read()
    keys = set(re.findall(r"(?m)^#?([a-zA-Z][\w.-]*)=", sample))
    path = os.path.join(lab.root, "properties")
    with open(path, "w", encoding="ascii") as file:
        file.write(re.sub(r"(?m)^#([a-zA-Z][\w.-]*=.+)", r"\1", sample))
    done = subprocess.run([harness.WHOISD, "--config", path, "--check-config"], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode()
    equal(re.findall(r" WARN .*", text), [], "warnings about the sample")
    options = {key.replace("*", "RIPE-GRS") for key in re.findall(r"(?m)^([a-zA-Z][\w.*-]*)=", text)}
    equal(sorted(options - keys), [], "options that the sample leaves out")


def test_root_gives_away_no_more_than_var(lab):
    """A link that the run user made in var/ must not win it what the link points at."""
    if os.geteuid() != 0:
        return
    lab.load()
    precious = os.path.join(lab.root, "precious")
    os.mkdir(precious)
    os.rmdir(os.path.join(lab.var, "log"))
    os.symlink(precious, os.path.join(lab.var, "log"))
    lab.start()
    equal(os.stat(precious).st_uid, 0, "owner of a directory that is linked to")
    equal(os.stat(lab.var).st_uid, pwd.getpwnam(lab.options["run.user"]).pw_uid, "owner of var")
    lab.stop()


# --- status ---

def test_status_tells_all_that_there_is(lab):
    """And its checksum is the same for a mirror that streamed and one that loaded the end state."""
    lab.options["nrtm.import.sources"] = "RIPE-GRS,COPY-GRS"
    lab.upstream()
    lab.upstream(name="COPY-GRS")
    lab.load()
    lab.load(FINAL, "COPY-GRS", LAST)
    lab.start()
    lab.wait_for_serial(LAST)
    wait_for("the state", lambda: [lab.status(source).get("state")
                                   for source in ("RIPE-GRS", "COPY-GRS")] == ["stream"] * 2)
    one, copy = lab.status(), lab.status("COPY-GRS")
    equal(one["checksum"], copy["checksum"], "checksum")
    equal(one["classes"], copy["classes"], "objects of each class")
    equal(sum(one["classes"].values()), len(Registry.read(FINAL).objects), "objects")
    for name, value in (("hw", LAST), ("applied", LAST), ("checksum_serial", LAST), ("lag_serials", 0),
                        ("source_state", "ready"), ("freshness", "fresh"), ("last_error", "")):
        equal(one[name], value, name)
    equal(one["counters"]["operations"], LAST - SERIAL, "operations")
    wait_for("the memory", lambda: lab.status()["memory"]["total"])
    memory = lab.status()["memory"]
    equal(memory.pop("total"), sum(memory.values()), "memory")
    code, text = lab.init("status")
    equal(code, 0, "exit code of whois.init status")
    expect_in(r"RIPE-GRS +ready +%d +%d +%d +0 / 0 s +fresh" % (one["objects"], LAST, LAST), text)
    expect_in("checksum: %s at serial %d" % (one["checksum"], LAST), text)
    expect_in("objects:.* person %d" % one["classes"]["person"], text)
    equal(json.loads(lab.init("status", "--json")[1])["pid"], lab.process.pid, "pid")
    lab.stop()


@long_only
def test_status_is_in_a_file_too(lab):
    lab.upstream()
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    path = os.path.join(lab.var, "status", "nrtm.RIPE-GRS")
    wait_for("the status file", lambda: os.path.exists(path))
    one = lab.status()
    with open(path, encoding="ascii") as file:
        lines = dict(line.rstrip("\n").split("=", 1) for line in file)
    equal(lines["checksum"], one["checksum"], "checksum in the status file")
    equal(lines["classes.person"], str(one["classes"]["person"]), "persons in the status file")
    lab.stop()


def test_a_mirror_that_falls_behind_is_loud(lab):
    lab.options["nrtm.import.RIPE-GRS.source"] = "RIPE"
    lab.options["nrtm.import.RIPE-GRS.host"] = "127.0.0.1"
    lab.options["nrtm.import.RIPE-GRS.port"] = free_port()
    lab.options["mirror.lag.warn"] = 1
    lab.load()
    lab.start()
    lab.wait_for_log(r"WARN .*RIPE-GRS is late")
    lab.options["mirror.lag.error"] = 1  # Before, a look that comes late would find it stale at once.
    lab.write_properties()
    lab.process.send_signal(signal.SIGHUP)
    lab.wait_for_log(r"ERROR .*RIPE-GRS is stale")
    expect_in("% Warning: source RIPE-GRS was last updated at 20", lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    equal(lab.status()["freshness"], "stale", "freshness")
    equal(lab.init("status", check=False)[0], 150, "exit code of whois.init status")
    lab.stop()


def test_a_mirror_is_as_fresh_after_a_restart_as_before(lab):
    """It is the upstream that tells how fresh a mirror is, not its own start, nor a new configuration."""
    lag = lambda: (lab.status()["freshness"], lab.status()["lag_seconds"] >= 100000)
    lab.upstream()
    port = lab.options["nrtm.import.RIPE-GRS.port"]
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    lab.wait_for("the stream", lambda: lab.status()["state"] == "stream")
    lab.stop()
    lab.database.sql("UPDATE nrtm_state SET hw_time = hw_time - 100000")  # A quiet registry.
    lab.options["nrtm.import.RIPE-GRS.port"] = free_port()
    lab.start()
    lab.wait_for("a refusal", lambda: "connect-failed" in lab.status()["last_error"])
    equal(lag(), ("fresh", False), "a moment without the upstream")
    lab.stop()
    lab.database.sql("UPDATE nrtm_state SET fresh_time = fresh_time - 100000")  # A long one.
    lab.start()
    lab.wait_for_log(r"ERROR .*RIPE-GRS is stale: not up to date for 16\d\d min")
    equal(lag(), ("stale", True), "a day without the upstream")
    configure(lab, "nrtm.import.RIPE-GRS.port", free_port())
    lab.wait_for("a refusal", lambda: "connect-failed" in lab.status()["last_error"])
    equal(lag(), ("stale", True), "configured anew")
    configure(lab, "nrtm.import.RIPE-GRS.port", port)
    lab.wait_for_log(r"RIPE-GRS is up to date again")
    equal(lag(), ("fresh", False), "with the upstream")
    lab.stop()


def configure(lab, key, value):
    """A running server takes it over."""
    before = len(re.findall("is configured anew", lab.log()))
    lab.options[key] = value
    lab.write_properties()
    lab.process.send_signal(signal.SIGHUP)
    lab.wait_for("the new configuration",
                 lambda: len(re.findall("is configured anew", lab.log())) > before)


# --- commands ---

def test_setserial(lab):
    upstream = lab.upstream(last=SERIAL + 400)
    lab.load()
    lab.init("setserial", "RIPE-GRS", str(SERIAL + 200))
    lab.start()
    upstream.wait_for_event(r"^start \d+ %d-" % (SERIAL + 201))
    lab.wait_for_serial(SERIAL + 400)
    at = len(upstream.events)
    lab.init("setserial", "RIPE-GRS", str(SERIAL + 300))
    upstream.wait_for_event(r"^start \d+ %d-" % (SERIAL + 301), after=at)
    lab.wait_for_serial(SERIAL + 400)
    lab.stop()


def test_load_through_the_running_server(lab):
    lab.start()
    expect_in("ERROR:100|ERROR:101", lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    lab.init("load", "RIPE-GRS", DUMP, str(SERIAL))
    expect_in("as-set: +" + KEY, lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    equal(lab.database.max_serial(), SERIAL, "serial after the load")
    lab.stop()


def test_reload_by_difference(lab):
    """The newer dump's objects, kept ids, history for what changed, no serial but the last."""
    lab.load()
    lab.start()
    ids = "SELECT MD5(GROUP_CONCAT(object_id ORDER BY object_id)) FROM last WHERE object_id <= 100"
    before = lab.database.value(ids)
    text = lab.whoisd("--load", "RIPE-GRS", FINAL, "--serial", str(LAST))[1]
    equal(lab.database.max_serial(), LAST, "serial after the reload: " + text)
    equal(lab.database.value("SELECT COUNT(*) FROM last WHERE sequence_id > 0"),
          str(len(Registry.read(FINAL).objects)), "objects after the reload")
    equal(lab.database.value(ids), before, "object ids")
    if lab.database.value("SELECT COUNT(*) FROM history") == "0":
        raise AssertionError("no history of the changed objects")
    lab.stop()


def test_an_export_loads_back_equal(lab):
    """From the running server while updates stream; from a lone command; plain and gzip."""
    upstream = lab.upstream(last=SERIAL + 200)
    lab.options["nrtm.import.sources"] = "RIPE-GRS,COPY-GRS"
    lab.options["nrtm.import.COPY-GRS.source"] = "RIPE"
    lab.options["nrtm.import.COPY-GRS.host"] = "127.0.0.1"
    lab.options["nrtm.import.COPY-GRS.port"] = free_port()
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    upstream.publish(LAST)
    dump = os.path.join(lab.var, "ripe.db.gz")
    text = lab.init("export", "RIPE-GRS", dump)[1]
    with open(dump + ".serial", encoding="ascii") as file:
        serial = int(file.read())
    equal(SERIAL + 200 <= serial <= LAST, True, "serial of the export")
    lab.wait_for_serial(LAST)
    lab.whoisd("--load", "COPY-GRS", dump, "--serial-file", dump + ".serial")
    copy = lab.status("COPY-GRS")
    equal(copy["hw"], serial, "serial of the copy")
    expect_in("%d objects .* at serial %d .* checksum %s" % (copy["objects"], serial, copy["checksum"]),
              text)
    lab.whoisd("--reload", "COPY-GRS", FINAL, "--serial", str(LAST))
    equal(lab.status("COPY-GRS")["checksum"], lab.status()["checksum"], "checksum at the end")
    lab.stop()
    second = os.path.join(lab.var, "copy.db")
    lab.whoisd("--export", "COPY-GRS", second)
    lab.whoisd("--export", "RIPE-GRS", second + ".gz")
    with open(second, "rb") as one, gzip.open(second + ".gz") as other:
        texts = [sorted(file.read().rstrip(b"\n").split(b"\n\n")[1:]) for file in (one, other)]
    equal(texts[0] == texts[1], True, "the same objects in both forms")
    equal(sorted(name for name in os.listdir(lab.var) if name.endswith(".new")), [], "leftovers")
    code, text = lab.whoisd("--export", "RIPE-GRS", "/nowhere/dump", check=False)
    equal(code, 1, "exit code of an export that fails: " + text)
    expect_in("/nowhere/dump.new: No such file", text)
    code, text = lab.whoisd("--load", "RIPE-GRS", "/nowhere.db", check=False)
    equal(code, 1, "exit code of a load that fails: " + text)
    expect_in("[^/]/nowhere.db: No such file", text)


def test_apply_a_stream_file(lab):
    lab.options["nrtm.import.RIPE-GRS.source"] = "RIPE"
    lab.options["nrtm.import.RIPE-GRS.host"] = "127.0.0.1"
    lab.options["nrtm.import.RIPE-GRS.port"] = free_port()
    lab.load()
    lab.whoisd("--apply", "RIPE-GRS", JOURNAL)
    equal(lab.database.max_serial(), LAST, "serial")
    equal(lab.database.value("SELECT COUNT(*) FROM last WHERE sequence_id > 0"),
          str(len(Registry.read(FINAL).objects)), "objects")
    lab.whoisd("--apply", "RIPE-GRS", JOURNAL)  # At or below the position: skipped.
    equal(lab.database.value("SELECT COUNT(*) FROM serials"), str(LAST - SERIAL + 1), "serials")


def test_first_load_from_the_configured_dump(lab):
    upstream = lab.upstream()
    lab.options["nrtm.import.RIPE-GRS.dump"] = DUMP
    lab.options["nrtm.import.RIPE-GRS.serial"] = os.path.join(DATA, "ripe-small.CURRENTSERIAL")
    lab.start()
    upstream.wait_for_event(r"^start 1 %d-" % (SERIAL + 1))
    lab.wait_for_serial(LAST)
    lab.stop()


def test_hup_reopens_the_log(lab):
    lab.load()
    lab.start()
    old = lab.console() + ".1"
    os.rename(lab.console(), old)
    lab.process.send_signal(signal.SIGHUP)
    wait_for("a new console.log", lambda: os.path.exists(lab.console()))
    lab.log_from = 0
    lab.stop()
    if not lab.log():
        raise AssertionError("nothing is written to the new log")


# --- the operator's hand in the database ---

def test_serials_edited_while_running(lab):
    upstream = lab.upstream(last=SERIAL + 200)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    at = len(upstream.events)
    lab.database.sql("UPDATE serials SET serial_id = %d WHERE serial_id = %d"
                     % (SERIAL + 400, SERIAL + 200))
    upstream.publish(LAST)
    upstream.wait_for_event(r"^start \d+ %d-" % (SERIAL + 401), after=at)
    lab.wait_for_serial(LAST)
    equal(lab.database.value("SELECT COUNT(*) FROM serials WHERE serial_id BETWEEN %d AND %d"
                             % (SERIAL + 200, SERIAL + 399)), "0", "serials that were skipped")
    lab.wait_for_log(r"RIPE-GRS position set to %d by database" % (SERIAL + 400))
    lab.stop()


# --- a database that comes and goes ---

def test_queries_go_on_without_the_database(lab):
    upstream = lab.upstream(last=SERIAL + 200)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    lab.database.control("stop")
    upstream.publish(SERIAL + 400)
    lab.wait_for_log(r"(WARN|ERROR)")
    expect_in("as-set: +" + KEY, lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    lab.database.control("start")
    lab.wait_for_serial(SERIAL + 400, seconds=2 * PATIENCE)
    lab.stop()


@long_only
def test_a_hanging_database_holds_up_neither_reload_nor_stop(lab):
    lab.load()
    lab.start()
    with lab.database.hanging():
        wait_for("the watch to hang in the database", lab.database.has_unread_request)
        at = lab.log_size()
        lab.process.send_signal(signal.SIGHUP)
        lab.wait_for_log("configuration re-read", start=at)
        lab.process.send_signal(signal.SIGTERM)
        lab.wait_for_log("its connections are cut", start=at)
        equal(lab.wait_for_end(), 0, "exit code")


def test_start_without_the_database(lab):
    lab.options["checkpoint.enabled"] = "false"
    lab.load()
    lab.database.control("stop")
    lab.start(wait=False)
    wait_for("the port", lambda: can_connect(lab.port))
    expect_in("ERROR:100", lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    lab.database.control("start")
    wait_for("an answer", lambda: KEY.encode() in b"".join(blocks(lab.ask("-s RIPE-GRS -r " + KEY))))
    lab.stop()


def test_start_from_the_checkpoint_without_the_database(lab):
    """It is served, marked stale, until the database is back; then the stream goes on."""
    upstream = lab.upstream(last=SERIAL + 200)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    lab.stop()
    lab.database.control("stop")
    upstream.publish(SERIAL + 400)
    lab.start(wait=False)
    lab.wait_for_log("RIPE-GRS: the database is not reached; until it is")
    status = lab.whoisd("--status", check=False)[1]
    expect_in("RIPE-GRS +stale +2", status)
    expect_in("RIPE-GRS: answers come from the checkpoint of 20", status)
    answer = lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1")
    expect_in("as-set: +" + KEY, answer)
    expect_in("% Warning: source RIPE-GRS was last updated at 20", answer)
    lab.database.control("start")
    lab.wait_for_serial(SERIAL + 400, seconds=2 * PATIENCE)
    equal(b"was last updated" in lab.ask("-s RIPE-GRS -r " + KEY), False, "stale for good")
    lab.stop()


@long_only
def test_restored_backup_is_not_mixed_with_a_checkpoint(lab):
    """A database goes back and then another way, while a checkpoint of the first way lies there."""
    upstream = lab.upstream(last=SERIAL + 100)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 100)
    lab.stop()
    backup = subprocess.run(["mysqldump", "--defaults-file=" + lab.database.option_file,
                             "--hex-blob", "--databases", DATABASE], check=True,
                            capture_output=True).stdout
    upstream.publish(SERIAL + 200)
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    lab.stop()
    lab.database.sql("DROP DATABASE " + DATABASE, "")
    subprocess.run(["mysql", "--defaults-file=" + lab.database.option_file], input=backup,
                   check=True)
    lab.options["checkpoint.enabled"] = "false"
    lab.start()
    lab.wait_for_serial(SERIAL + 200)
    lab.stop()
    lab.options["checkpoint.enabled"] = "true"
    lab.start()
    lab.wait_for_log("WARN .*RIPE-GRS: the checkpoint is not used: the database does not know it")
    lab.wait_for_log("RIPE-GRS: index built from last")
    lab.stop()


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


# --- clients ---

def test_half_closing_client_gets_its_whole_answer(lab):
    lab.load(SMALL.dump)
    lab.start()
    done = subprocess.run(["nc", "-N", "127.0.0.1", str(lab.port)], check=True, capture_output=True,
                          input=b"-s RIPE-GRS -r -B -i tech-c DUMY-RIPE\n")
    if not done.stdout.endswith(b"\n\n\n") or len(blocks(done.stdout)) < 15000:
        raise AssertionError("%d objects, end %r" % (len(blocks(done.stdout)), done.stdout[-80:]))
    lab.stop()


def test_stop_finishes_answers(lab):
    lab.load(SMALL.dump)
    lab.start()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", lab.port))
    slow.sendall(b"-s RIPE-GRS -r -B -i tech-c DUMY-RIPE\n")
    answer = slow.recv(100000)
    while len(answer) < 100000:
        answer += slow.recv(100000)
    lab.process.send_signal(signal.SIGTERM)
    wait_for("the listener to close", lambda: not can_connect(lab.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    while True:
        data = slow.recv(1 << 20)
        if not data:
            break
        answer += data
    equal(answer[-3:], b"\n\n\n", "end of the answer")
    equal(len(blocks(answer)) > 15000, True, "the whole answer")
    equal(lab.wait_for_end(), 0, "exit code")


def test_pause_before_the_end(lab):
    """The server answers in it; a second signal ends it."""
    lab.options["shutdown.pause.sec"] = 600
    lab.load()
    lab.start()
    lab.process.send_signal(signal.SIGTERM)
    lab.wait_for_log(r"stopping in 600 s")
    expect_in("as-set: +" + KEY, lab.ask("-s RIPE-GRS -r " + KEY).decode("latin-1"))
    lab.stop()


def test_latin1_is_stored_as_utf8_and_printed_as_it_came(lab):
    """And an object with such bytes that comes by the stream."""
    journal = harness.Journal.read(SMALL.journal)
    at = next(i for i, op in enumerate(journal.ops) if b"\xfc" in op and op.startswith(b"ADD"))
    serial = journal.serials[at]
    lab.upstream(journal, last=serial)
    lab.load(SMALL.dump)
    lab.start()
    lab.wait_for_serial(serial)
    text = journal.ops[at].split(b"\n\n", 1)[1].rstrip(b"\n") + b"\n"
    stored = lab.database.value("SELECT HEX(l.object) FROM last l JOIN serials s USING (object_id) "
                                "WHERE s.serial_id = %d" % serial)
    equal(bytes.fromhex(stored), text.decode("latin-1").encode(), "stored text")
    if b"\xfc" not in lab.ask("-s RIPE-GRS -r -i tech-c DUMY-RIPE"):
        raise AssertionError("no Latin-1 in the answer")
    lab.stop()


# --- several mirrors ---

def test_several_mirrors_at_once(lab):
    lab.options["nrtm.import.sources"] = "RIPE-GRS,COPY-GRS,POLL-GRS"
    lab.upstream()
    lab.upstream(name="COPY-GRS", dialect="ripe-c", marks_batches=True)
    lab.upstream(name="POLL-GRS", dialect="irrd")
    for source in ("RIPE-GRS", "COPY-GRS", "POLL-GRS"):
        lab.load(source=source)
    lab.start()
    for source in ("RIPE_GRS", "COPY_GRS", "POLL_GRS"):
        lab.wait_for_serial(LAST, "WHOIS_MIRROR_" + source)
    client = Whois(lab.port)
    answers = [blocks(client.ask("-s %s -r %s" % (source, KEY)))
               for source in ("RIPE-GRS", "COPY-GRS", "POLL-GRS")]
    equal(answers[1:], answers[:1] * 2, "answers of the mirrors")
    lab.stop()


def test_a_virtual_source_is_the_main_data(lab):
    """Beside a mirror that has the main source's name, too, and keeps data of its own."""
    lab.options["whois.source"] = "RIPE"
    lab.options["grs.sources"] = "ripe-open-grs,RIPE-DUMMY-GRS,RIPE-GRS"
    lab.options["grs.sources.dummify"] = "RIPE-DUMMY-GRS"
    lab.load(source="RIPE")
    lab.start()
    client = Whois(lab.port)
    equal(client.ask("-q sources").split(b"\n\n")[0].split(b"\n"),
          [b"RIPE:3:N:0-0", b"RIPE-NONAUTH:3:N:0-0", b"RIPE-GRS:3:N:0-0", b"RIPE-OPEN-GRS:3:N:0-0",
           b"RIPE-DUMMY-GRS:3:N:0-0"], "sources")
    whole = blocks(client.ask("-s RIPE -rB " + KEY))
    equal(blocks(client.ask("-s RIPE-OPEN-GRS -r " + KEY)), whole, "answer under another name")
    expect_in("person:", client.ask("-s RIPE-OPEN-GRS -T person DUMY-RIPE").decode())
    expect_in("ERROR:101", client.ask("-s RIPE-DUMMY-GRS -T person DUMY-RIPE").decode())
    expect_in("source:         RIPE-DUMMY-GRS\n",
              client.ask("-s RIPE-DUMMY-GRS -r " + KEY).decode("latin-1"))
    expect_in("source RIPE-GRS has not been loaded yet", lab.ask("-s RIPE-GRS " + KEY).decode())
    lab.options["grs.sources.dummify"] = "NOSUCH-GRS"
    lab.options["whois.source"] = "OTHER"
    lab.write_properties()
    lab.init("reload")
    lab.wait_for_log("grs.sources.dummify: \\S+NOSUCH-GRS\\S+ is no mirrored source")
    lab.wait_for_log("whois.source=OTHER takes a restart")
    equal(blocks(lab.ask("-rB " + KEY)), whole, "answer of the main source as it was named at the start")
    lab.stop()


# --- backup and restore ---

def test_backup_and_restore(lab):
    """mysqldump while the stream runs; the restored mirror goes on at the backup's serial."""
    upstream = lab.upstream(last=SERIAL + 300)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 300)
    backup = os.path.join(lab.root, "backup.sql")
    upstream.publish(SERIAL + 500)
    with open(backup, "wb") as file:
        subprocess.run(["mysqldump", "--defaults-file=" + lab.database.option_file,
                        "--single-transaction", "--hex-blob", "--databases", DATABASE],
                       stdout=file, check=True)
    lab.wait_for_serial(SERIAL + 500)
    lab.stop()
    lab.database.sql("DROP DATABASE " + DATABASE, "")
    with open(backup, "rb") as file:
        subprocess.run(["mysql", "--defaults-file=" + lab.database.option_file], stdin=file,
                       check=True)
    restored = lab.database.max_serial()
    equal(SERIAL + 300 <= restored <= SERIAL + 500, True, "serial of the backup")
    at = len(upstream.events)
    upstream.publish(LAST)
    lab.start()
    upstream.wait_for_event(r"^start \d+ %d-" % (restored + 1), after=at)
    lab.wait_for_serial(LAST)
    equal(lab.database.value("SELECT COUNT(*) FROM last WHERE sequence_id > 0"),
          str(len(Registry.read(FINAL).objects)), "objects")
    lab.stop()


harness.main(__name__)
