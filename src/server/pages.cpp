// SPDX-License-Identifier: Apache-2.0
#include "server/pages.h"

#include "oauth/metadata.h"
#include "server/demo_steps.h"
#include "server/html.h"
#include "server/page_words.h"
#include "server/sec_headers.h"

namespace brickgate {

namespace {

ServerResponse page(ServerSettings const& settings, int status, std::string_view title,
                    Html const& body, bool wide, std::string const& form_targets = {}) {
    ServerResponse response;
    response.status = status;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    add_page_headers(response, settings, form_targets);
    response.body =
        fill(
            R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>{} - {}</title><link rel="stylesheet" href="{}/assets/style.css"><link rel="icon" href="{}/assets/logo.svg"></head><body><main class="{}"><p class="brand"><img src="{}/assets/logo.svg" alt="" width="32" height="32">{}</p>{}</main><footer>Secured by Brickgate. Your Databricks password is never shown to this site.</footer></body></html>)",
            {title, settings.app_name, Html::of(settings.base_path), Html::of(settings.base_path),
             wide ? "wide" : "narrow", Html::of(settings.base_path), settings.app_name, body})
            .text();
    return response;
}

std::string_view next_step(ErrorCode code) {
    switch (code) {
        case ErrorCode::return_to_denied:
        case ErrorCode::method_not_allowed:
        case ErrorCode::misdirected_request:
            return {};
        case ErrorCode::not_found:
            return "To the start";
        default:
            return "Try again";
    }
}

Html hidden(std::string_view name, std::string const& value) {
    return value.empty() ? Html()
                         : fill(R"(<input type="hidden" name="{}" value="{}">)", {name, value});
}

Html demo_lines(ServerSettings const& settings, std::string const& connection) {
    auto const steps = demo_steps(settings, connection);
    Html out;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        out =
            out + (i == 0 ? fill("<h2>{}</h2>", {steps[i].text}) : fill("<li>{}", {steps[i].text}));
        for (auto const& command : steps[i].commands) {
            out = out + fill("<pre>{}</pre>", {command});
        }
        out = out + Html::of(i == 0 ? "<h2>Three things to try</h2><ol>" : "</li>");
    }
    return steps.empty() ? out : out + Html::of("</ol>");
}

}  // namespace

ServerResponse connect_page(ServerSettings const& settings, SignInLink const& link) {
    auto const intro = fill(
        "<h1>Connect Databricks</h1><p>{} would like to work on your Databricks workspace in your "
        "name. You sign in at "
        "Databricks itself and can say no there.</p>",
        {settings.app_name});
    if (settings.workspace_fixed) {
        auto const body =
            intro +
            fill(
                R"(<a class="button" href="{}/auth{}">Continue to Databricks</a><p class="soft">You will come back here.</p>)",
                {Html::of(settings.base_path), link.query()});
        return page(settings, 200, "Connect Databricks", body, false);
    }
    auto const body =
        intro +
        fill(
            R"(<form method="get" action="{}/auth"><label for="workspace">Your workspace</label><input id="workspace" name="workspace" value="{}" required autocomplete="url" inputmode="url" placeholder="dbc-a1b2c3d4-e5f6.cloud.databricks.com">{}{}<p class="soft">Copy it from the address bar of your workspace; all of it is fine.</p><button class="button">Continue to Databricks</button></form>)",
            {Html::of(settings.base_path), link.workspace, hidden("subject", link.subject),
             hidden("return_to", link.return_to)});
    // Whoever has consented before is sent on without a stop, and form-action is asked all the way.
    std::string const way_back = link.return_to.empty() ? "" : " " + origin_of(link.return_to);
    return page(settings, 200, "Connect Databricks", body, false, settings.form_targets + way_back);
}

ServerResponse error_page(ServerSettings const& settings, Error const& error,
                          SignInLink const& again_link) {
    auto const words = words_of(error.code());
    auto const step = next_step(error.code());
    auto const again = step.empty()
                           ? Html()
                           : fill(R"(<a class="button" href="{}/{}">{}</a>)",
                                  {Html::of(settings.base_path), again_link.query(), step});
    auto const body = fill(
        R"(<span class="mark bad" aria-hidden="true">!</span><h1>{}</h1><p>{}</p>{}<p class="code">{} Code: <code>{}</code></p>)",
        {words.title, words.text, again, error.message(), error.name()});
    auto response = page(settings, error.http_status(), words.title, body, false);
    if (error.retry_after()) {
        response.headers.add("Retry-After", std::to_string(error.retry_after()->count()));
    }
    return response;
}

ServerResponse no_app_page(ServerSettings const& settings, Error const& error) {
    auto const body = fill(
        R"(<h1>Nobody can sign in here yet</h1><p>No Databricks app is set up for this gateway. What was connected at a terminal is served all the same.</p><p>If you run it: register an app in Databricks' account console (Settings, App connections) with the redirect URL</p><pre>{}</pre><p>then set <code>CLIENT_ID</code>, <code>CLIENT_SECRET</code> and <code>DATABRICKS_HOST</code>, and start the gateway again.</p><p class="code">{} Code: <code>{}</code></p>)",
        {settings.public_url + settings.callback_path, error.message(), error.name()});
    return page(settings, error.http_status(), "Nobody can sign in here yet", body, false);
}

ServerResponse result_page(ServerSettings const& settings, LoginResult const& result) {
    if (result.error) {
        return error_page(settings, *result.error, result.again);
    }
    std::string const person = result.display_name.empty() ? result.user_name : result.display_name;
    auto const row = [](std::string_view name, std::string const& value) {
        return value.empty() ? Html() : fill("<div><dt>{}</dt><dd>{}</dd></div>", {name, value});
    };
    auto const facts = row("Workspace", result.workspace) + row("Signed in as", person) +
                       (person == result.user_name ? Html() : row("Account", result.user_name)) +
                       row("Connection", result.connection);
    Html notes;
    if (result.session_only) {
        notes = notes + Html::of(
                            "<p><b>This connection ends with its first token.</b> Databricks gave "
                            "no refresh token, because "
                            "the app may not ask for <code>offline_access</code>.</p>");
    }
    if (result.scope_reduced) {
        notes =
            notes +
            Html::of("<p><b>Fewer rights than asked for.</b> Parts of the app may not work.</p>");
    }
    auto const body = fill(
        R"(<span class="mark" aria-hidden="true">&#10003;</span><h1>Authorization successful!</h1><p>{} is connected to Databricks{}. You can close this page.</p><dl>{}</dl>{}{})",
        {settings.app_name, result.reconnected ? " again" : "", facts, notes,
         demo_lines(settings, result.connection)});
    return page(settings, 200, "Connected", body, settings.demo.has_value());
}

}  // namespace brickgate
