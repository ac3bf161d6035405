// SPDX-License-Identifier: Apache-2.0
// What tests say to the practice Databricks, and ask it: /_sandbox/*, docs/sandbox.md. Nobody signs
// in for it, so pages of other sites are refused.
#include <algorithm>
#include <array>
#include <charconv>

#include "net/address_guard.h"
#include "sandbox/pages.h"
#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

ServerResponse done(std::optional<std::string> const& complaint = std::nullopt) {
    return complaint ? json_answer(400, {{"error", *complaint}}) : json_answer(200, {{"ok", true}});
}

bool from_another_site(Asked const& asked, std::string const& origin) {
    auto const site = asked.header("Sec-Fetch-Site");
    auto const sender = asked.header("Origin");
    return (!site.empty() && site != "none" && site != "same-origin") ||
           (!sender.empty() && sender != origin);
}

std::string name_in(std::string_view authority) {
    std::string name(authority.substr(0, authority.find(':')));
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return name;
}

// A page that lets its own name resolve to this machine (T54) is of no other site, as its browser
// sees it. An address is no name that anybody could make resolve to us; browsers always say one.
bool is_called_by_name(std::string const& host, std::string_view origin) {
    auto const name = name_in(host);
    auto const own = name_in(origin.substr(origin.find("//") + 2));
    return name.empty() || name.starts_with('[') || name == "localhost" || name == own ||
           IpAddress::parse(name).has_value();
}

std::optional<std::vector<std::string>> strings_at(json::object const& object,
                                                   std::string_view key) {
    std::vector<std::string> out;
    if (!object.contains(key)) {
        return out;
    }
    auto const* const list = array_at(object, key);
    if (!list || !std::ranges::all_of(*list, &json::value::is_string)) {
        return std::nullopt;
    }
    for (auto const& entry : *list) {
        out.emplace_back(entry.get_string());
    }
    return out;
}

ServerResponse register_app(Grants& grants, json::object const& body) {
    auto const text = [&](std::string_view key, std::string_view otherwise) {
        return std::string(string_at(body, key).value_or(otherwise));
    };
    App app{text("client_id", ""), text("client_secret", "")};
    app.name = text("name", app.client_id);
    auto redirect_uris = strings_at(body, "redirect_uris");
    auto scopes = strings_at(body, "scopes");
    if (app.client_id.empty() || !redirect_uris || !scopes) {
        return done("an app has a client_id, and redirect_uris and scopes as lists of strings");
    }
    app.redirect_uris = std::move(*redirect_uris);
    app.scopes = std::move(*scopes);
    std::erase_if(grants.apps, [&](App const& old) { return old.client_id == app.client_id; });
    grants.apps.push_back(std::move(app));
    return done();
}

ServerResponse families(Grants const& grants, Asked const& asked, Time now) {
    auto all = grants.families(now);
    std::string const user = asked.field("user");
    json::array wanted;
    for (auto& family : all) {
        if (user.empty() || string_at(family.get_object(), "user") == user) {
            wanted.push_back(std::move(family));
        }
    }
    return json_answer(200, {{"families", std::move(wanted)}});
}

std::uint64_t number_of(std::string const& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

ServerResponse style() {
    ServerResponse response;
    response.headers.add("Content-Type", "text/css");
    response.headers.add("Cache-Control", "max-age=300");
    response.body = style_sheet();
    return response;
}

using State = Sandbox::State;
using Control = ServerResponse (*)(State&, Asked const&, json::object const&);
struct Entry {
    std::string_view method, path;
    Control control;
};
constexpr std::array<Entry, 15> controls{{
    {"GET", "/_sandbox/settings",
     [](State& s, Asked const&, json::object const&) {
         return json_answer(200, to_json(s.grants.settings));
     }},
    {"PUT", "/_sandbox/settings",
     [](State& s, Asked const&, json::object const& body) {
         return done(apply(s.grants.settings, body));
     }},
    {"GET", "/_sandbox/faults",
     [](State& s, Asked const&, json::object const&) {
         return json_answer(200, {{"faults", s.faults.to_json()}});
     }},
    {"POST", "/_sandbox/faults",
     [](State& s, Asked const&, json::object const& body) { return done(s.faults.add(body)); }},
    {"DELETE", "/_sandbox/faults",
     [](State& s, Asked const&, json::object const&) {
         s.faults.clear();
         return done();
     }},
    {"POST", "/_sandbox/release",
     [](State& s, Asked const&, json::object const& body) {
         auto const then = std::string(string_at(body, "then").value_or(""));
         if (!then.empty() && then != "answer" && then != "end") {
             return done("then is answer or end");
         }
         s.releases += 1;
         s.release_then = then;
         return done();
     }},
    {"GET", "/_sandbox/log",
     [](State& s, Asked const& asked, json::object const&) {
         auto const since = number_of(asked.field("since"));
         return json_answer(200, {{"requests", s.judge.since(since)}});
     }},
    {"DELETE", "/_sandbox/log",
     [](State& s, Asked const&, json::object const&) {
         s.judge.clear();
         return done();
     }},
    {"GET", "/_sandbox/families",
     [](State& s, Asked const& asked, json::object const&) {
         return families(s.grants, asked, s.clock.now());
     }},
    {"POST", "/_sandbox/expire",
     [](State& s, Asked const&, json::object const&) {
         s.grants.expire_access_tokens();
         return done();
     }},
    {"POST", "/_sandbox/revoke",
     [](State& s, Asked const&, json::object const& body) {
         s.grants.revoke(std::string(string_at(body, "family").value_or("")));
         return done();
     }},
    {"POST", "/_sandbox/rotate-key",
     [](State& s, Asked const&, json::object const&) {
         s.signer.rotate();
         return done();
     }},
    {"POST", "/_sandbox/apps",
     [](State& s, Asked const&, json::object const& body) { return register_app(s.grants, body); }},
    {"GET", "/_sandbox/style.css",
     [](State&, Asked const&, json::object const&) { return style(); }},
    {"GET", "/",
     [](State& s, Asked const&, json::object const&) {
         return front_page(s.options.origin, s.grants.settings.refresh_mode);
     }},
}};

}  // namespace

ServerResponse Sandbox::State::control(Asked const& asked) {
    if (!is_called_by_name(asked.header("Host"), options.origin)) {
        return json_answer(421, {{"error",
                                  "this is not the name of the sandbox; --origin gives it "
                                  "one"}});
    }
    bool const looks = asked.method == "GET" || asked.method == "HEAD";
    if (!looks && from_another_site(asked, options.origin)) {
        return json_answer(403, {{"error", "a page of another site may not steer the sandbox"}});
    }
    auto const entry = std::ranges::find_if(controls, [&](Entry const& known) {
        return known.method == asked.method && known.path == asked.path;
    });
    if (entry == controls.end()) {
        bool const known = std::ranges::find(controls, asked.path, &Entry::path) != controls.end();
        return known ? json_answer(405, {{"error", "not with " + asked.method}})
                     : json_answer(404, {{"error", "no such control; docs/sandbox.md lists them"}});
    }
    auto const body = parse_json(asked.body.empty() ? "{}" : asked.body, {.depth_max = 300});
    if (!body || !body->is_object()) {
        return done("the body must be a JSON object");
    }
    auto response = entry->control(*this, asked, body->get_object());
    if (!looks) {
        keep();
    }
    return response;
}

}  // namespace brickgate::sandbox
