// SPDX-License-Identifier: Apache-2.0
#include "sandbox/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

// The consent form's answer is a redirect, which may go on from there: Chromium holds every step of
// it to form-action, so the app's own origins cannot be listed and any http(s) one is allowed.
constexpr std::string_view policy =
    "default-src 'none'; style-src 'self'; form-action 'self' http: https:; "
    "frame-ancestors 'none'; base-uri 'none'";

ServerResponse page(int status, std::string_view title, std::string_view body) {
    ServerResponse response;
    response.status = status;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("Content-Security-Policy", std::string(policy));
    response.headers.add("Referrer-Policy", "no-referrer");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("X-Frame-Options", "DENY");
    response.body = fmt::format(
        R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{} - Brickgate sandbox</title>
<link rel="stylesheet" href="/_sandbox/style.css"></head>
<body><header><b>Brickgate sandbox: a practice Databricks.</b> Nothing here is real.</header>
<main>{}</main></body></html>
)",
        html_escape(title), body);
    return response;
}

std::string initials_of(std::string_view name) {
    std::string out(name.substr(0, 1));
    auto const space = name.rfind(' ');
    if (space != std::string_view::npos && space + 1 < name.size()) {
        out += name[space + 1];
    }
    return is_valid_utf8(out) ? out : "?";
}

std::string card_of(Person const& person) {
    return fmt::format(
        R"(<span class="face" aria-hidden="true">{}</span><span><b>{}</b><small>{}</small></span>)",
        html_escape(initials_of(person.name)), html_escape(person.name), html_escape(person.email));
}

std::string_view words_for(std::string_view scope) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> words{
        {{"all-apis", "Use every Databricks API in your name"},
         {"sql", "Run SQL in your name"},
         {"offline_access", "Stay connected while you are away"},
         {"openid", "Know who you are"},
         {"profile", "See your name"},
         {"email", "See your e-mail address"}}};
    auto const known =
        std::ranges::find(words, scope, &std::pair<std::string_view, std::string_view>::first);
    return known == words.end() ? "Use what this scope allows" : known->second;
}

std::string scope_list(std::string_view scope) {
    std::string list;
    while (!scope.empty()) {
        auto const end = std::min(scope.find(' '), scope.size());
        if (end > 0) {
            list += fmt::format("<li>{}<code>{}</code></li>", words_for(scope.substr(0, end)),
                                html_escape(scope.substr(0, end)));
        }
        scope.remove_prefix(std::min(end + 1, scope.size()));
    }
    return list;
}

std::string origin_of(std::string const& url) {
    auto const start = url.find("://");
    return start == std::string::npos ? url : url.substr(0, url.find_first_of("/?#", start + 3));
}

}  // namespace

ServerResponse sign_in_page(std::string const& ticket, App const& app,
                            std::vector<Person> const& people) {
    std::string buttons;
    for (auto const& person : people) {
        buttons += fmt::format(R"(<button class="person" name="email" value="{}">{}</button>)",
                               html_escape(person.email), card_of(person));
    }
    return page(200, "Sign in",
                fmt::format(
                    R"(<h1>Sign in</h1>
<p>to continue to <b>{0}</b>. Everybody here is made up; there are no passwords.</p>
<form method="post" action="/_sandbox/sign-in"><input type="hidden" name="ticket" value="{1}">{2}</form>
<form class="other" method="post" action="/_sandbox/sign-in"><input type="hidden" name="ticket" value="{1}">
<label for="email">Or be somebody else</label>
<div class="row"><input id="email" type="email" name="email" placeholder="you@example.com" autocomplete="off" required>
<button class="go">Continue</button></div></form>)",
                    html_escape(app.name), html_escape(ticket), buttons));
}

ServerResponse consent_page(std::string const& ticket, App const& app, Person const& person,
                            std::string const& scope, std::string const& redirect_uri) {
    std::string_view const warning =
        has_word(scope, "offline_access")
            ? ""
            : R"(<p class="warn"><b>offline_access was not asked for.</b> There will be no refresh token: the connection ends with its first access token.</p>)";
    return page(200, "Allow access",
                fmt::format(
                    R"(<h1>Let {0} in?</h1>
<div class="person who">{1}<a href="/_sandbox/sign-in?ticket={2}">Not you?</a></div>
<p>It wants to work on this workspace for you:</p>
<ul>{3}</ul>{4}
<form method="post" action="/_sandbox/consent"><input type="hidden" name="ticket" value="{2}">
<div class="row"><button class="deny" name="answer" value="deny">Deny</button>
<button class="go" name="answer" value="approve">Approve</button></div></form>
<p class="soft">Either way you return to {5}.</p>)",
                    html_escape(app.name), card_of(person), html_escape(ticket), scope_list(scope),
                    warning, html_escape(origin_of(redirect_uri))));
}

ServerResponse message_page(int status, std::string_view title, std::string_view text) {
    return page(status, title,
                fmt::format("<h1>{}</h1><p>{}</p>", html_escape(title), html_escape(text)));
}

ServerResponse front_page(std::string const& origin, std::string const& refresh_mode) {
    return page(200, "A practice Databricks",
                fmt::format(
                    R"(<h1>A practice Databricks</h1>
<p>It answers like a workspace: discovery, sign-in, consent, tokens, keys and a few APIs. Point an app at</p>
<p><code>{0}</code></p>
<p>The refresh mode is <b>{1}</b>. <code>docs/sandbox.md</code> says what it can be told to do, and to do wrong.</p>
<ul class="links"><li><a href="/oidc/.well-known/oauth-authorization-server">Discovery</a></li>
<li><a href="/oidc/jwks.json">Keys</a></li><li><a href="/_sandbox/settings">Settings</a></li>
<li><a href="/_sandbox/families">Token families</a></li><li><a href="/_sandbox/log">Log of requests</a></li></ul>)",
                    html_escape(origin), html_escape(refresh_mode)));
}

}  // namespace brickgate::sandbox
