// SPDX-License-Identifier: Apache-2.0
// Which request meets which fault, and what it does to the answer.
#include "sandbox/faults.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "sandbox/mischief.h"

namespace brickgate::sandbox {
namespace {

json::object object(std::string_view text) {
    return parse_json(text)->as_object();
}
Faults::Field const no_fields = [](std::string const&) { return std::string(); };

TEST(Faults, the_next_n_requests_of_an_endpoint_fail_and_no_other) {
    Faults faults;
    ASSERT_FALSE(faults.add(object(R"({"endpoint":"token","kind":"status","count":2})")));
    EXPECT_FALSE(faults.take("api", no_fields));
    EXPECT_TRUE(faults.take("token", no_fields)->is("status"));
    EXPECT_EQ(faults.to_json().size(), 1U);
    EXPECT_TRUE(faults.take("token", no_fields));
    EXPECT_FALSE(faults.take("token", no_fields));
    EXPECT_TRUE(faults.to_json().empty());
}

TEST(Faults, they_come_in_the_order_they_were_told) {
    Faults faults;
    (void)faults.add(object(R"({"kind":"status","status":500})"));
    (void)faults.add(object(R"({"kind":"html_200"})"));
    EXPECT_EQ(faults.take("token", no_fields)->status, 500);
    EXPECT_TRUE(faults.take("token", no_fields)->is("html_200"));
}

TEST(Faults, count_zero_lasts_until_it_is_taken_away) {
    Faults faults;
    (void)faults.add(object(R"({"kind":"status","count":0})"));
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(faults.take("token", no_fields));
    }
    faults.clear();
    EXPECT_FALSE(faults.take("token", no_fields));
}

TEST(Faults, a_match_lets_other_requests_pass) {
    Faults faults;
    ASSERT_FALSE(faults.add(object(R"({"kind":"status","match":{"grant_type":"refresh_token"}})")));
    auto const grant = [](std::string value) {
        return [value](std::string const& name) { return name == "grant_type" ? value : ""; };
    };
    EXPECT_FALSE(faults.take("token", grant("authorization_code")));
    EXPECT_TRUE(faults.take("token", grant("refresh_token")));
}

TEST(Faults, a_fault_that_cannot_be_is_refused_by_name) {
    struct Row {
        std::string_view fault, complaint;
    };
    for (Row const& row :
         {Row{R"({"endpoint":"tokn","kind":"status"})", "there is no endpoint tokn"},
          Row{R"({"kind":"stats"})", "there is no kind stats"}, Row{"{}", "there is no kind "},
          Row{R"({"kind":"status","status":199})", "status is from 200 to 599"},
          Row{R"({"kind":"status","status":99999999999})", "status is from 200 to 599"},
          Row{R"({"kind":"latency","latency_ms":300001})",
              "latency_ms and pause_ms are five minutes at most"},
          Row{R"({"kind":"latency","latency_ms":-1})",
              "latency_ms and pause_ms are five minutes at most"},
          Row{R"({"kind":"status","count":-1})", "count is how many requests, 0 for all of them"},
          Row{R"({"endpoint":"api","kind":"no_nonce"})", "no_nonce is for the endpoint token"},
          Row{R"({"kind":"wrong_issuer"})", "wrong_issuer is for the endpoint discovery"},
          Row{R"({"kind":"status","match":{"a":1}})",
              "match holds names of fields and their values, as strings"}}) {
        Faults faults;
        EXPECT_EQ(faults.add(object(row.fault)).value_or("(taken)"), row.complaint) << row.fault;
        EXPECT_TRUE(faults.to_json().empty());
    }
    Faults faults;
    EXPECT_TRUE(faults.add(object(R"({"kind":"id_token","value":"rs512"})")));
    EXPECT_FALSE(faults.add(object(R"({"kind":"id_token","value":"alg_none"})")));
}

TEST(Faults, a_fault_bends_the_settings_for_its_request) {
    Settings const usual;
    auto const bent_by = [&](std::string kind, std::string value = "") {
        Fault fault;
        fault.kind = std::move(kind);
        fault.value = std::move(value);
        return bent(usual, fault);
    };
    EXPECT_EQ(bent_by("no_nonce").issue, "no_nonce");
    EXPECT_EQ(bent_by("no_refresh_token").issue, "no_refresh_token");
    EXPECT_EQ(bent_by("extra_scope").scope, "extra");
    EXPECT_EQ(bent_by("fewer_scopes").scope, "fewer");
    EXPECT_EQ(bent_by("id_token", "expired").id_token, "expired");
    EXPECT_EQ(to_json(bent_by("status")), to_json(usual));
    EXPECT_EQ(to_json(bent(usual, std::nullopt)), to_json(usual));
}

TEST(Mischief, replacements_are_what_databricks_says_then) {
    struct Row {
        std::string kind;
        int status;
        std::string_view words;
    };
    for (Row const& row :
         {Row{"ip_acl", 403, "is blocked by Databricks IP ACL for workspace"},
          Row{"invalid_client", 401, R"("error_description":"Client authentication failed")"},
          Row{"old_invalid_request", 400,
              R"({"error":"invalid_request","error_description":"Refresh token is invalid"})"},
          Row{"token_expiring", 403, "Token is expiring within 30 seconds. (token expired)"},
          Row{"html_200", 200, "<!doctype html>"}, Row{"not_found", 404, "scripted fault"},
          Row{"status", 503, "scripted fault"}}) {
        Fault fault;
        fault.kind = row.kind;
        auto const response = replacement(fault);
        ASSERT_TRUE(response) << row.kind;
        EXPECT_EQ(response->status, row.status) << row.kind;
        EXPECT_NE(response->body.find(row.words), std::string::npos) << response->body;
    }
    Fault fault;
    fault.kind = "latency";
    EXPECT_FALSE(replacement(fault));
}

TEST(Mischief, retry_after_location_and_whole_answers_are_as_told) {
    Fault fault;
    fault.kind = "status";
    fault.status = 429;
    fault.value = "7";
    EXPECT_EQ(replacement(fault)->headers.get("Retry-After").value_or(""), "7");
    fault.kind = "redirect_307";
    fault.value = "http://127.0.0.1:1/";
    EXPECT_EQ(replacement(fault)->status, 307);
    EXPECT_EQ(replacement(fault)->headers.get("Location").value_or(""), "http://127.0.0.1:1/");
    Faults faults;
    (void)faults.add(object(R"({"kind":"answer","body":"[1","content_type":"text/plain"})"));
    auto const whole = replacement(*faults.take("token", no_fields));
    EXPECT_EQ(whole->status, 200);
    EXPECT_EQ(whole->body, "[1");
    EXPECT_EQ(whole->headers.get("Content-Type").value_or(""), "text/plain");
}

TEST(Mischief, T34_spoilt_json_is_refused_by_a_strict_parser_and_only_there) {
    struct Row {
        std::string kind;
        JsonFault fault;
    };
    for (Row const& row :
         {Row{"duplicate_keys", JsonFault::duplicate_key}, Row{"deep_json", JsonFault::too_deep},
          Row{"huge_body", JsonFault::string_too_long}}) {
        Fault fault;
        fault.kind = row.kind;
        auto response = json_answer(200, {{"access_token", "x"}, {"token_type", "Bearer"}});
        spoil(response, fault);
        auto const strict = parse_json(response.body);
        ASSERT_FALSE(strict) << row.kind;
        EXPECT_EQ(strict.error(), row.fault) << row.kind;
        EXPECT_NO_THROW((void)json::parse(response.body, {}, json::parse_options{.max_depth = 200}))
            << "a lax one takes it";
    }
}

TEST(Settings, are_taken_whole_or_not_at_all) {
    Settings settings;
    EXPECT_TRUE(apply(settings, object(R"({"access_ttl":5,"refresh_mode":"never"})")));
    EXPECT_EQ(settings.access_ttl, Seconds(3600));
    EXPECT_FALSE(apply(settings, object(R"({"access_ttl":5,"refresh_mode":"grace"})")));
    EXPECT_EQ(settings.access_ttl, Seconds(5));
    Settings again;
    EXPECT_FALSE(apply(again, to_json(settings)));
    EXPECT_EQ(to_json(again), to_json(settings));
}

TEST(Settings, a_complaint_names_the_setting_and_what_it_takes) {
    struct Row {
        std::string_view change, complaint;
    };
    for (Row const& row :
         {Row{R"({"refresh_mode":"x"})", "refresh_mode is one of reusable grace strict revoke"},
          Row{R"({"refresh_mode":1})",
              "no such setting, or a value of the wrong kind: refresh_mode"},
          Row{R"({"acces_ttl":1})", "no such setting, or a value of the wrong kind: acces_ttl"},
          Row{R"({"access_ttl":-1})", "access_ttl is a number of seconds, ten years at most"},
          Row{R"({"grace":9223372036854775807})",
              "grace is a number of seconds, ten years at most"},
          Row{R"({"legacy_paths":"yes"})",
              "no such setting, or a value of the wrong kind: legacy_paths"}}) {
        Settings settings;
        EXPECT_EQ(apply(settings, object(row.change)).value_or("(taken)"), row.complaint);
    }
}

}  // namespace
}  // namespace brickgate::sandbox
