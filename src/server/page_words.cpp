// SPDX-License-Identifier: Apache-2.0
#include "server/page_words.h"

#include <algorithm>
#include <array>

namespace brickgate {

namespace {

using enum ErrorCode;

constexpr PageWords set_up_is_wrong{
    "This app's own set-up is wrong",
    "Databricks does not accept the app's credentials. You did nothing wrong, and nothing was "
    "stored. Please tell the people who run this app."};
constexpr PageWords did_not_answer{"Databricks did not answer as it should",
                                   "The workspace is busy or out of reach for us. Nothing was "
                                   "stored. Please try again in a minute."};
constexpr PageWords too_many{"A moment, please",
                             "Too many sign-ins are under way. Try again in some minutes."};
constexpr PageWords not_now{"Not right now",
                            "The gateway cannot take this on at the moment. Nothing was stored. "
                            "Please try again in some minutes."};
constexpr PageWords usual{"The sign-in did not work",
                          "Nothing was stored. Please begin again; if it happens twice, tell the "
                          "people who run this app the code below."};

struct Row {
    ErrorCode code;
    PageWords words;
};
constexpr auto table = std::to_array<Row>({
    Row{access_denied,
        {"Nothing was connected",
         "You, or a rule of your workspace, declined. Nothing was changed: a connection made "
         "before "
         "stays as it is. If that was a slip, try again."}},
    Row{login_expired,
        {"That took too long",
         "A sign-in is good for ten minutes. Nothing was stored; just begin again."}},
    Row{state_unknown,
        {"This link was used already",
         "A sign-in link works once and for ten minutes. If you are connected already, you can "
         "close this page; otherwise begin again."}},
    Row{state_cookie_missing,
        {"Another browser began this",
         "A sign-in must end in the browser it was begun in. If somebody sent you this link, do "
         "not go on. Otherwise begin again here."}},
    Row{invalid_client, set_up_is_wrong},
    Row{unauthorized_client, set_up_is_wrong},
    Row{app_fault, set_up_is_wrong},
    Row{invalid_scope,
        {"This app asks for rights it does not have",
         "Databricks does not give this app the rights that it asks for. You did nothing wrong, "
         "and nothing was stored. Please tell the people who run this app."}},
    Row{host_denied,
        {"This workspace cannot be connected",
         "The address is not one that this app serves. Copy it from your workspace's address bar, "
         "such as dbc-a1b2c3d4-e5f6.cloud.databricks.com."}},
    Row{host_required, {"Which workspace?", "Enter the address of your Databricks workspace."}},
    Row{return_to_denied,
        {"This link is not complete",
         "The app sent you here with a return address that it has not registered. Please tell the "
         "people who run it."}},
    Row{upstream_unreachable, did_not_answer},
    Row{upstream_timeout, did_not_answer},
    Row{discovery_failed, did_not_answer},
    Row{server_error, did_not_answer},
    Row{temporarily_unavailable, did_not_answer},
    Row{host_blocked,
        {"The workspace does not let this app in",
         "Most often its admin must allow this app's address (IP access list). Nothing was stored. "
         "Please tell that admin, or the people who run this app."}},
    Row{outcome_unknown,
        {"The answer was lost",
         "Databricks' answer did not reach us. Nothing was stored; please begin again."}},
    Row{oauth_unsupported,
        {"No Databricks workspace there",
         "The host does not offer sign-in with Databricks. Please check its address."}},
    Row{result_gone,
        {"This page is gone",
         "How a sign-in ended is shown for ten minutes only. Look into the app itself."}},
    Row{not_found, {"There is nothing here", "Please check the address."}},
    Row{misdirected_request,
        {"This is not our address", "Please use the link that the app itself gives you."}},
    Row{headers_too_large,
        {"Too many cookies",
         "This browser sent more than we read. Clear the cookies of this site, then begin again."}},
    Row{uri_too_long, {"This link is too long", "Please begin again from the app."}},
    Row{invalid_request,
        {"This link is not complete",
         "Something is wrong with it. Please begin again from the "
         "app."}},
    Row{internal,
        {"Something went wrong here",
         "That was our fault. Please try again; if it happens twice, tell the people who run this "
         "app."}},
    Row{store_unavailable, not_now},
    Row{spool_full, not_now},
    Row{shutting_down, not_now},
    Row{overloaded, not_now},
    Row{too_many_logins, too_many},
    Row{rate_limited, too_many},
});

}  // namespace

PageWords words_of(ErrorCode code) {
    auto const* const found = std::ranges::find(table, code, &Row::code);
    return found == table.end() ? usual : found->words;
}

}  // namespace brickgate
