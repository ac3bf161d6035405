// SPDX-License-Identifier: Apache-2.0
#include "sandbox/pages.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

ServerResponse page(std::string_view title, std::string const& body,
                    std::string const& form_target) {
    ServerResponse response;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("Content-Security-Policy",
                         "default-src 'none'; style-src 'self'; form-action 'self' " + form_target +
                             "; frame-ancestors 'none'; base-uri 'none'");
    response.headers.add("Referrer-Policy", "no-referrer");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.body = fmt::format(
        R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{}</title><link rel="stylesheet" href="/_sandbox/style.css"></head><body><p class="banner">Practice workspace: nothing here is real</p><main>{}</main></body></html>)",
        html_escape(title), body);
    return response;
}

std::string words_for(std::string_view scope) {
    if (scope == "all-apis") {
        return "Use all Databricks APIs in your name";
    }
    if (scope == "offline_access") {
        return "Stay connected when you are away (refresh token)";
    }
    if (scope == "openid") {
        return "Know who you are";
    }
    if (scope == "profile") {
        return "See your name";
    }
    if (scope == "email") {
        return "See your e-mail address";
    }
    if (scope == "sql") {
        return "Run SQL in your name";
    }
    return std::string(scope);
}

}  // namespace

ServerResponse sign_in_page(std::string const& ticket, App const& app,
                            std::vector<Person> const& people, std::string const& origin) {
    std::string buttons;
    for (auto const& person : people) {
        buttons += fmt::format(
            R"(<button name="email" value="{}"><b>{}</b><span>{}</span></button>)",
            html_escape(person.email), html_escape(person.name), html_escape(person.email));
    }
    return page(
        "Sign in",
        fmt::format(
            R"(<h1>Sign in</h1><p>to continue to <b>{}</b></p><form method="post" action="/_sandbox/sign-in"><input type="hidden" name="ticket" value="{}">{}</form><p class="soft">Everybody here is made up. No password is needed.</p>)",
            html_escape(app.name), html_escape(ticket), buttons),
        origin);
}

ServerResponse consent_page(std::string const& ticket, App const& app, Person const& person,
                            std::string const& scope, std::string const& target_origin) {
    std::string list;
    std::string_view rest = scope;
    bool offline = false;
    while (!rest.empty()) {
        auto const end = std::min(rest.find(' '), rest.size());
        auto const word = rest.substr(0, end);
        offline = offline || word == "offline_access";
        if (!word.empty()) {
            list += fmt::format("<li>{}</li>", html_escape(words_for(word)));
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    std::string const warning =
        offline
            ? ""
            : R"(<p class="warn">offline_access was not asked for: no refresh token will be given, and the connection ends with its first access token.</p>)";
    return page(
        "Allow access",
        fmt::format(
            R"(<h1>Allow access?</h1><p><b>{}</b> wants to work on this workspace as <b>{}</b>:</p><ul>{}</ul>{}<form method="post" action="/_sandbox/consent"><input type="hidden" name="ticket" value="{}"><button class="main" name="answer" value="approve">Approve</button><button class="plain" name="answer" value="deny">Deny</button></form>)",
            html_escape(app.name), html_escape(person.email), list, warning, html_escape(ticket)),
        target_origin);
}

ServerResponse front_page(std::string const& origin) {
    return page(
        "Practice workspace",
        fmt::format(
            R"(<h1>Brickgate sandbox</h1><p>A practice Databricks at <code>{}</code>: discovery, sign-in, tokens, keys and a few workspace APIs. docs/sandbox.md says what it can do, and what it can be told to do wrong.</p>)",
            html_escape(origin)),
        "");
}

std::string_view style_sheet() {
    return R"(:root{color-scheme:light dark;--g:#eef2f6;--c:#fff;--i:#15202b;--s:#5b6b7a;--l:#d7dfe7;--a:#1b5e8c;--ai:#fff}
@media(prefers-color-scheme:dark){:root{--g:#0e141a;--c:#17212b;--i:#e8eef4;--s:#93a4b4;--l:#2a3845;--a:#6fb6e8;--ai:#06131d}}
*{box-sizing:border-box}html{font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
body{margin:0;min-height:100vh;background:var(--g);color:var(--i);display:flex;flex-direction:column;align-items:center;padding:0 16px 32px}
.banner{margin:0 0 6vh;padding:8px 18px;background:repeating-linear-gradient(45deg,#ffd24a,#ffd24a 14px,#f6c22d 14px,#f6c22d 28px);color:#2b2200;border-radius:0 0 12px 12px;font-size:.85rem;font-weight:600}
main{width:100%;max-width:27rem;background:var(--c);border:1px solid var(--l);border-radius:16px;padding:28px}
h1{margin:0 0 8px;font-size:1.5rem}p{margin:0 0 14px}.soft{color:var(--s);font-size:.88rem;margin:16px 0 0}
button{display:block;width:100%;font:inherit;text-align:left;color:inherit;background:var(--g);border:1px solid var(--l);border-radius:12px;padding:12px 16px;margin:0 0 10px;cursor:pointer}
button span{display:block;color:var(--s);font-size:.85rem}button:hover{border-color:var(--a)}button:focus-visible{outline:3px solid var(--a);outline-offset:2px}
.main{background:var(--a);color:var(--ai);text-align:center;font-weight:600;border-color:var(--a)}.plain{text-align:center}
ul{padding-left:1.2rem;margin:0 0 18px}li{margin-bottom:6px}.warn{border:1px solid #d99a00;border-radius:10px;padding:10px 12px;font-size:.9rem}
)";
}

}  // namespace brickgate::sandbox
