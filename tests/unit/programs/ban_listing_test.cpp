#include "programs/control/ban_listing.hpp"

using namespace portcullis;
using namespace portcullis::programs;

namespace {

base::BanRow permanent_ban() {
    base::BanRow row;
    row.command = "firewall-drop";
    row.address = "192.0.2.1";
    row.user = "-";
    row.since = 1;
    row.rule_id = 99990;
    return row;
}

BanListing full_listing() {
    BanListing listing;
    listing.bans.push_back(permanent_ban());
    base::Reply page;
    page.blocks = {{"firewall-drop", "192.0.2.2", -1, false},
                   {"firewall-drop", "192.0.2.3", 2, true}};
    page.text = "and 7 more";
    add_page(listing, page);
    return listing;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ban_listing: a page holds blocks and holds, and why some may be missing") {
    BanListing listing = full_listing();
    CHECK(listing.blocks.size() == 1);
    CHECK(listing.holds.size() == 1);
    CHECK(listing.more == "and 7 more");
    base::Reply failed;
    failed.ok = false;
    failed.text = "firewall-drop does not answer";
    add_page(listing, failed);
    CHECK(listing.problem == "firewall-drop does not answer");
}

TEST_CASE("ban_listing: the text has a table for each kind of block") {
    CHECK(text_of(BanListing()) == "there are no bans\n");
    BanListing listing = full_listing();
    const std::string text = text_of(listing);
    CHECK(text.substr(0, 7) == "ADDRESS");
    CHECK(has(text, "\n192.0.2.1 "));
    CHECK(has(text, " rule 99990\n"));
    CHECK(has(text, "\n192.0.2.3                                      2\n"));
    CHECK(has(text, "\n192.0.2.2                               firewall-drop          no end\n"));
    CHECK(has(text, "\nand 7 more\n"));
    listing.is_dry_run = true;
    listing.bans[0].is_dry = true;
    listing.bans[0].rule_id = 0;
    CHECK(text_of(listing).substr(0, 33) == "dry run: execd blocks no address\n");
    CHECK(has(text_of(listing), " by hand (dry run: not blocked)\n"));
}

TEST_CASE("ban_listing: nothing in a row steers a terminal") {
    BanListing listing;
    listing.bans.push_back(permanent_ban());
    listing.bans[0].user = "\x1b[2J";
    CHECK(has(text_of(listing), "?[2J"));
    CHECK(text_of_protected({{"192.0.2.1", "process \x1b"}}, "").back() == '\n');
    CHECK(has(text_of_protected({{"192.0.2.1", "process \x1b"}}, ""), "process ?"));
}

TEST_CASE("ban_listing: JSON has one object a line, and null for what has no end") {
    CHECK(json_of(BanListing()).empty());
    CHECK(json_of(full_listing()) ==
          R"({"kind":"ban","address":"192.0.2.1","user":"-","command":"firewall-drop",)"
          R"("rule":99990,"since":1,"until":null,"left":null,"block":"hard",)"
          R"("evidence":"proven","dry_run":false})"
          "\n"
          R"({"kind":"hold","address":"192.0.2.3","left":2})"
          "\n"
          R"({"kind":"unexplained","address":"192.0.2.2","responder":"firewall-drop","left":null})"
          "\n");
}

TEST_CASE("ban_listing: the never-block list, or what it says of one address") {
    const std::vector<base::ProtectedRow> rows{{"192.0.2.0/24", "white list"}};
    CHECK(text_of_protected(rows, "") ==
          "192.0.2.0/24                                white list\n");
    CHECK(text_of_protected(rows, "192.0.2.1") == "192.0.2.1: protected: white list\n");
    CHECK(text_of_protected({}, "192.0.2.1") == "192.0.2.1: not protected\n");
    CHECK(text_of_protected({}, "").empty());
}
