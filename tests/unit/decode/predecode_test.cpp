#include "engine/decode/predecode.hpp"

#include "engine/decode/header_formats.hpp"

using namespace portcullis;
using decode::predecode;

namespace {

constexpr std::string_view kLocal = "local";

struct Row {
    std::string line;
    std::string_view hostname;
    std::optional<std::string_view> program;
    std::string_view log;
};

void check(const Row& row, std::string_view location = "stdin") {
    CAPTURE(row.line, location);
    event::Event event;
    event.reset(row.line, location, {});
    predecode(event, kLocal);
    CHECK(event.hostname == row.hostname);
    CHECK(event.program_name == row.program);
    CHECK(event.log == row.log);
}

}  // namespace

TEST_CASE("header_formats: each row recognises its sample, and no row before it does") {
    for (const auto& format : decode::header_formats()) {
        CAPTURE(format.name);
        CHECK_FALSE(format.help.empty());
        const decode::HeaderText text(format.sample);
        const auto first = std::find_if(
            decode::header_formats().begin(), decode::header_formats().end(),
            [&](const decode::HeaderFormat& row) { return row.text_start(text).has_value(); });
        CHECK(first->name == format.name);

        event::Event event;
        event.reset(format.sample, "stdin", {});
        predecode(event, kLocal);
        CHECK(event.log == format.sample_log);
        if (format.rest == decode::HeaderRest::HostAndProgram) {
            CHECK(event.hostname == std::string_view("web1"));
            CHECK(event.program_name == std::string_view("sshd"));
        }
    }
}

TEST_CASE("predecode: host and program name behind a date") {
    const std::string date = "Nov 14 18:09:12 ";
    const Row rows[] = {
        {"host prog[12]: msg", "host", "prog", "msg"},
        {"host prog[12] msg", "host", "prog", "msg"},
        {"host prog[12]:msg", "host", {}, "prog[12]:msg"},
        {"host prog:msg", "host", {}, "prog:msg"},
        {"host prog[x]: msg", "host", {}, "prog[x]: msg"},
        {"host prog[]: msg", "host", {}, "prog[]: msg"},
        {"host prog(pam_unix)[12]: msg", "host", "prog(pam_unix)", "msg"},
        {"host: msg here", kLocal, "host", "msg here"},
        {"TCP: SYN scan detected [ports 21,1] from 10.10.150.1 [ports 34333,1]", kLocal, "TCP",
         "SYN scan detected [ports 21,1] from 10.10.150.1 [ports 34333,1]"},
        {"ICMP/UDP: smurf", kLocal, "ICMP/UDP", "smurf"},
        {"ho:st msg x", kLocal, {}, "ho:st msg x"},
        {"fe80::1 prog: msg", kLocal, {}, "fe80::1 prog: msg"},
        {" host prog: msg", "host", "prog", "msg"},
        {"  host prog: msg", "", {}, "host prog: msg"},
        {"host %ASA-1: msg", "host", {}, "%ASA-1: msg"},
        {"[host] prog: msg", kLocal, {}, "[host] prog: msg"},
        {"host kernel: [123.4] iptables", "host", "kernel", "[123.4] iptables"},
        {"host last message repeated 3 times", "host", {}, "last message repeated 3 times"},
        {"last message repeated 2 times", "last", {}, "message repeated 2 times"},
        {"h", kLocal, {}, "h"},
        // Solaris.
        {"host sshd[12]: [ID 800047 auth.info] msg", "host", "sshd", "msg"},
        {"sshd: [ID 800047 auth.info] msg", kLocal, "sshd", "msg"},
        {"host sshd[12]: [ID 800047 auth.info]msg", "host", "sshd", "[ID 800047 auth.info]msg"},
        // AIX.
        {"host auth|security:info sshd[12]: msg", "host", "sshd", "msg"},
        {"host auth|security:info su: msg", "host", "su", "msg"},
        {"host auth|security:info sshd[12] msg", "host", {}, "auth|security:info sshd[12] msg"},
        {"host auth|security:info nothing else", "host", {}, "auth|security:info nothing else"},
        {"host auth|security info x: msg", "host", {}, "auth|security info x: msg"},
        {"host auth|Security:info x: msg", "host", {}, "auth|Security:info x: msg"},
    };
    for (auto row : rows) {
        row.line.insert(0, date);
        check(row);
    }
}

TEST_CASE("predecode: lines that only resemble a header stay whole") {
    const std::string_view lines[] = {
        "",
        "N",
        "Nov 14 18:09:12",
        "Nov 14 18:09:12 ",
        "Nov 4 18:09:12 host prog: msg",
        "2015-04-16 21:51:02 host prog: msg",
        "2007-06-14T15:48:55Z host prog: a long message",
        "2007-06-14T15:48:55.214Z host prog a long message",
        "2007-06-14T15:48:55-04:00 host",  // too short
        "<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47",
        "<34>Nov 14 18:09:12 host prog: msg",
        "[Fri Feb 11 18:06:35.123456 2004] [warn] hello",
    };
    for (const auto line : lines) {
        check({std::string(line), kLocal, {}, line});
    }
}

TEST_CASE("predecode: shapes other than syslog") {
    const Row rows[] = {
        {"2015-04-16 21:51:02,805 srv.x (1.2.3.4[1.2.3.4]): msg",
         "srv.x",
         {},
         "(1.2.3.4[1.2.3.4]): msg"},
        {"2007-06-14T15:48:55.21-04:00 web1 sshd[12]: msg", "web1", "sshd", "msg"},
        {"2007-06-14T15:48:55,214-04:00 web1 sshd[12]: msg", "web1", "sshd", "msg"},
        {"Xxx yy aa:bb:cc host prog: msg", "host", "prog", "msg"},
        {"M\xc3\xa4r 29 10:00:01 host prog: msg", "host", "prog", "msg"},
        // Too short for the text after the date.
        {"01/28/1979-09:13:16.240702 ", kLocal, {}, ""},
        {"2019:11:06-00:08:03 ", kLocal, {}, ""},
    };
    for (const auto& row : rows) {
        check(row);
    }
}

TEST_CASE("predecode: groups of an OS X line") {
    const std::string date = "[Time 2006.12.28 15:53:55 UTC] ";
    const Row rows[] = {
        {"[Sender a] [Sender b] [Message m] [Message n] [Host h] [Host i]", "h", "a", "m"},
        {"[Facility auth] [Sender sshd]", kLocal, "sshd", " UTC] [Facility auth] [Sender sshd]"},
        {"[Message m [x] y] [Host h]", "h", {}, "m [x"},
        {"[Sender s] [Message cut", kLocal, "s", "cut"},
        {"[Message m] [Sender cut", kLocal, {}, "m"},
        {"[Message m] [Host cut", kLocal, {}, "m"},
        {"[Host h] [Sender s]", "h", {}, " UTC] [Host h] [Sender s]"},
    };
    for (auto row : rows) {
        row.line.insert(0, date);
        check(row);
    }
}

TEST_CASE("predecode: control characters are deleted, so that words are joined") {
    check({"Nov 14 18:09:12 host prog: a\tb\x1b[2J\r\n\x7f.", "host", "prog", "ab[2J."});
    check({std::string("a\0b", 3), kLocal, {}, "ab"});
}

TEST_CASE("predecode: an agent's events carry its location as host name") {
    check({"Nov 14 18:09:12 host prog: msg", "(web1) 10.0.0.1->/var/log/auth.log", "prog", "msg"},
          "(web1) 10.0.0.1->/var/log/auth.log");
}

TEST_CASE("predecode: whether the header itself names a host is kept") {
    event::Event event;
    event.reset("Nov 14 18:09:12 host TCP: msg", "stdin", {});
    predecode(event, kLocal);
    CHECK(event.has_header_hostname);
    event.reset("Nov 14 18:09:12 TCP: msg", "stdin", {});
    predecode(event, kLocal);
    CHECK_FALSE(event.has_header_hostname);
}
