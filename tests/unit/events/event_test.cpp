// SPDX-License-Identifier: Apache-2.0
// What is told of what happened: stable names, and nothing that opens anything.
#include "events/event.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace brickgate {
namespace {

Time const at(Seconds(1'800'000'000));

Connection connection() {
    Connection row;
    row.id = ConnectionId("con_1");
    row.workspace = "https://dbc-a.cloud.databricks.com";
    row.subject = "user-7";
    row.principal = {"ann-sub", "ann@example.com", "Ann"};
    row.scopes = {"all-apis", "offline_access"};
    row.family = 2;
    row.generation = 5;
    row.state = ConnectionState::uncertain;
    row.sealed_access = "SEALED-ACCESS";
    row.sealed_refresh = "SEALED-REFRESH";
    row.sealed_alt_refresh = "SEALED-ALT";
    row.current_fingerprint = "FINGERPRINT";
    row.last_error = "THEIR-WORDS";
    return row;
}

json::object data_of(EventRow const& event) {
    auto parsed = parse_json(event.data);
    EXPECT_TRUE(parsed && parsed->is_object()) << event.data;
    return parsed ? parsed->get_object() : json::object{};
}

std::vector<EventRow> one_of_each() {
    Connection const row = connection();
    return {login_denied(at, row.workspace, row.subject, ErrorCode::access_denied),
            connection_connected(at, row, true),
            connection_refreshed(at, row),
            connection_reauth_required(at, row, ReauthReason::revoked),
            connection_protocol_error(at, row, ErrorCode::token_malformed),
            connection_recovered(at, row),
            connection_disconnected(at, row),
            registration_app_fault(at, RegistrationId("reg_1"), ErrorCode::invalid_client),
            host_blocked(at, row, ErrorCode::host_blocked)};
}

TEST(Event, names_are_dotted_and_stable) {
    std::vector<std::string> types;
    for (auto const& event : one_of_each()) {
        types.push_back(event.type);
    }
    EXPECT_EQ(types,
              (std::vector<std::string>{
                  "login.denied", "connection.connected", "connection.refreshed",
                  "connection.reauth_required", "connection.protocol_error", "connection.recovered",
                  "connection.disconnected", "registration.app_fault", "host.blocked"}));
}

TEST(Event, none_holds_a_token_a_fingerprint_or_another_servers_words) {
    for (auto const& event : one_of_each()) {
        for (auto const word : {"SEALED", "FINGERPRINT", "THEIR-WORDS"}) {
            EXPECT_EQ(event.data.find(word), std::string::npos) << event.type << event.data;
        }
        EXPECT_EQ(event.at, at);
        data_of(event);
    }
}

TEST(Event, what_is_about_a_connection_bears_its_id) {
    for (auto const& event : one_of_each()) {
        bool const about_one =
            event.type.starts_with("connection.") || event.type == "host.blocked";
        EXPECT_EQ(event.connection, about_one ? "con_1" : "") << event.type;
    }
}

TEST(Event, the_data_say_who_where_and_why) {
    auto const events = one_of_each();
    auto const connected = data_of(events[1]);
    EXPECT_EQ(connected.at("user_name"), "ann@example.com");
    EXPECT_EQ(connected.at("workspace"), "https://dbc-a.cloud.databricks.com");
    EXPECT_EQ(connected.at("subject"), "user-7");
    EXPECT_EQ(connected.at("scopes"), "all-apis offline_access");
    EXPECT_EQ(connected.at("reconnected"), true);
    EXPECT_EQ(data_of(events[0]).at("code"), "access_denied");
    EXPECT_EQ(data_of(events[3]).at("reason"), "revoked");
    EXPECT_EQ(data_of(events[5]).at("from"), "uncertain");
    EXPECT_EQ(data_of(events[7]).at("registration"), "reg_1");
}

TEST(Event, names_with_quotes_and_line_feeds_stay_one_line_of_json) {
    Connection row = connection();
    row.principal.user_name = "a\"b\n\\c\x01";
    auto const event = connection_refreshed(at, row);
    EXPECT_EQ(event.data.find('\n'), std::string::npos);
    EXPECT_EQ(data_of(event).at("user_name"), "a\"b\n\\c\x01");
}

}  // namespace
}  // namespace brickgate
