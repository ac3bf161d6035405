// SPDX-License-Identifier: Apache-2.0
#include "server/connect_pages.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/log.h"
#include "net/bridge.h"
#include "oauth/metadata.h"
#include "server/assets.h"
#include "server/cookies.h"
#include "server/pages.h"
#include "server/sec_headers.h"

namespace brickgate {

namespace {

// Our words go behind whatever the registered address already has.
std::string with_query(std::string const& url, FormFields const& fields) {
    auto const hash = std::min(url.find('#'), url.size());
    std::string const before = url.substr(0, hash);
    char const joint = before.find('?') == std::string::npos ? '?' : '&';
    return before + joint + form_encode(fields) + url.substr(hash);
}

LoginWish wish_of(SignInLink const& link) {
    LoginWish wish;
    wish.workspace = link.workspace;
    wish.subject = link.subject;
    wish.return_to = link.return_to;
    return wish;
}

// T07. Sec-Purpose is today's word; the others are what browsers and link scanners said before it.
bool is_prefetch(ServerRequest const& request) {
    constexpr std::array<std::string_view, 4> names{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"};
    constexpr std::array<std::string_view, 3> words{"prefetch", "prerender", "preview"};
    return std::ranges::any_of(request.headers, [&](HeaderField const& field) {
        auto const is_name = [&](auto name) { return equals_ignoring_case(field.name, name); };
        auto const has = [&](auto word) {
            return field.value.find(word) != std::string_view::npos;
        };
        return std::ranges::any_of(names, is_name) && std::ranges::any_of(words, has);
    });
}

std::string_view content_type_of(std::string_view path) {
    if (path.ends_with(".css")) {
        return "text/css; charset=utf-8";
    }
    if (path.ends_with(".svg")) {
        return "image/svg+xml";
    }
    if (path.ends_with(".yaml")) {
        return "application/yaml";
    }
    return "application/octet-stream";
}

}  // namespace

ConnectPages::ConnectPages(Parts parts)
    : parts_(std::move(parts)), results_(parts_.clock, parts_.random) {}

void ConnectPages::add_to(Router& router) {
    auto const page = [&](std::string pattern, RouteHandler handler, bool head = true) {
        router.add({"GET", std::move(pattern), Audience::browser, Visibility::public_, head,
                    std::move(handler)});
    };
    page("/", [this](ServerRequest const& request, PathParams) -> Task<ServerResponse> {
        co_return connect(request);
    });
    page(
        "/auth", [this](ServerRequest const& request, PathParams) { return begin(request); },
        false);
    page(
        parts_.settings.callback_path,
        [this](ServerRequest const& request, PathParams) { return callback(request); }, false);
    page("/connect/result/{id}",
         [this](ServerRequest const&, PathParams params) -> Task<ServerResponse> {
             co_return result(std::string(params.get("id")));
         });
    page("/assets/{file}", [this](ServerRequest const&, PathParams params) -> Task<ServerResponse> {
        co_return asset(std::string(params.get("file")));
    });
    page("/favicon.ico", [this](ServerRequest const&, PathParams) -> Task<ServerResponse> {
        co_return asset("logo.svg");
    });
}

ServerResponse ConnectPages::asset(std::string const& path) const {
    auto const content = find_asset(path);
    if (!content) {
        return error_page(parts_.settings, Error(ErrorCode::not_found, "There is no such file."));
    }
    ServerResponse response;
    response.headers.add("Content-Type", std::string(content_type_of(path)));
    response.headers.add("Cache-Control", "public, max-age=3600");
    add_page_headers(response, parts_.settings);
    response.body = *content;
    return response;
}

ServerResponse ConnectPages::redirect(int status, std::string location) const {
    ServerResponse response;
    response.status = status;
    response.headers.add("Location", std::move(location));
    add_page_headers(response, parts_.settings);
    return response;
}

// What the address says, with its way back proved. Errors are answers already.
std::expected<SignInLink, ServerResponse> ConnectPages::link_of(ServerRequest const& request) {
    auto link = SignInLink::parse(request.query);
    if (!link) {
        return std::unexpected(error_page(parts_.settings, link.error()));
    }
    auto checked = parts_.login.check(wish_of(*link));
    if (checked && !parts_.settings.has_app) {
        checked = fail(ErrorCode::app_fault, "CLIENT_ID is not set.");
    }
    if (checked) {
        return std::move(*link);
    }
    if (checked.error().code() == ErrorCode::return_to_denied) {
        link->return_to.clear();
    }
    if (checked.error().code() == ErrorCode::invalid_request) {
        link->subject.clear();
    }
    return std::unexpected(refused(std::move(*link), checked.error()));
}

// A sign-in that does not begin. `link` leads to no address that is not listed.
ServerResponse ConnectPages::refused(SignInLink link, Error const& error) {
    // Where people are asked for it, it can be mended there.
    if (error.code() == ErrorCode::host_denied && parts_.settings.workspace_fixed) {
        link.workspace.clear();
    }
    parts_.metrics
        .counter("brickgate_logins_started_total", "Sign-ins begun.", {{"outcome", "refused"}})
        .add();
    log(LogLevel::info, "login_refused", error.message(),
        {{"code", error.name()}, {"detail", error.detail()}});
    if (!link.return_to.empty()) {
        return redirect(303, with_query(link.return_to, {{"error", std::string(error.name())}}));
    }
    return parts_.settings.has_app ? error_page(parts_.settings, error, link)
                                   : no_app_page(parts_.settings, error);
}

// A browser that says 127.0.0.1 where we say localhost would keep its cookie from the callback. It
// is sent to our own name, once: only if host and port are those of the public URL by another name
// of this machine, so that a proxy in front which puts in a Host of its own makes no circle.
std::optional<ServerResponse> ConnectPages::by_its_name(ServerRequest const& request,
                                                        std::string_view path) const {
    auto const ours = origin_of(parts_.settings.public_url);
    auto const own = HostAndPort::parse(std::string_view(ours).substr(ours.find("://") + 3));
    auto const asked = HostAndPort::parse(request.header("Host").value_or(""));
    bool const misnamed = asked.name != own.name && asked.port == own.port &&
                          is_loopback_name(asked.name) && is_loopback_name(own.name);
    if (!misnamed) {
        return std::nullopt;
    }
    std::string target = parts_.settings.public_url + std::string(path);
    if (!request.query.empty()) {
        target += '?' + std::string(request.query);
    }
    return redirect(302, std::move(target));
}

ServerResponse ConnectPages::connect(ServerRequest const& request) {
    if (auto named = by_its_name(request, "/")) {
        return std::move(*named);
    }
    auto const link = link_of(request);
    return link ? connect_page(parts_.settings, *link) : link.error();
}

Task<ServerResponse> ConnectPages::begin(ServerRequest const& request) {
    if (is_prefetch(request)) {
        co_return error_page(parts_.settings, Error(ErrorCode::prefetch_refused,
                                                    "A sign-in is not begun in advance."));
    }
    if (auto named = by_its_name(request, "/auth")) {
        co_return std::move(*named);
    }
    auto const link = link_of(request);
    if (!link) {
        co_return link.error();
    }
    auto const held = login_cookies(request, parts_.settings);
    if (link->workspace.empty() && !parts_.settings.workspace_fixed) {
        co_return connect_page(parts_.settings, *link);
    }
    auto task = parts_.login.begin(parts_.registration, wish_of(*link));
    auto const start = co_await run_on(parts_.control, std::move(task));
    if (!start) {
        co_return refused(*link, start.error());
    }
    parts_.metrics.counter("brickgate_logins_started_total", "Sign-ins begun.", {{"outcome", "ok"}})
        .add();
    auto response = redirect(302, start->authorize_url);
    auto const others = held.value_or(std::vector<LoginCookie>{});
    for (auto& cookie : set_login_cookie(parts_.settings, others, start->cookie_name_suffix,
                                         start->cookie_value, parts_.clock.now())) {
        response.headers.add("Set-Cookie", std::move(cookie));
    }
    co_return response;
}

Task<ServerResponse> ConnectPages::callback(ServerRequest const& request) {
    if (request.path != parts_.settings.base_path + parts_.settings.callback_path) {
        // T07: the address that was registered, byte for byte, and no other spelling of it.
        co_return error_page(parts_.settings,
                             Error(ErrorCode::not_found, "There is nothing at this address."));
    }
    if (is_prefetch(request)) {
        // T07: nothing is used up, so the real visit that follows still works.
        co_return error_page(parts_.settings, Error(ErrorCode::prefetch_refused,
                                                    "A sign-in is not finished in advance."));
    }
    auto cookies = login_cookies(request, parts_.settings);
    std::string cleared;
    auto lookup = [&cookies, &cleared](std::string const& suffix) -> Result<PresentedCookie> {
        if (!cookies) {
            return fail(cookies.error());
        }
        PresentedCookie presented;
        for (auto const& cookie : *cookies) {
            if (cookie.suffix == suffix) {
                presented.value = cookie.value;
                cleared = suffix;
            } else {
                presented.newest_other =
                    std::max(presented.newest_other.value_or(Time()), cookie.made_at);
            }
        }
        return presented;
    };
    auto task = parts_.login.finish(std::string(request.query), lookup);
    auto const outcome = co_await run_on(parts_.control, std::move(task));
    auto response = outcome ? finished(*outcome) : failed(outcome.error());
    if (!cleared.empty()) {
        response.headers.add("Set-Cookie", clear_login_cookie(parts_.settings, cleared));
    }
    co_return response;
}

ServerResponse ConnectPages::finished(LoginFinished const& done) {
    parts_.metrics.counter("brickgate_logins_finished_total", "Sign-ins ended.", {{"code", "ok"}})
        .add();
    parts_.on_connected(done);
    if (!done.return_to.empty()) {
        return redirect(
            303, with_query(done.return_to, {{"connection_id", done.connection.id.value()}}));
    }
    LoginResult result;
    result.connection = done.connection.id.value();
    result.workspace = done.connection.workspace;
    result.user_name = done.connection.principal.user_name;
    result.display_name = done.connection.principal.display_name;
    result.session_only = done.session_only;
    result.scope_reduced = done.scope_reduced;
    result.reconnected = done.reconnected;
    return redirect(
        303, parts_.settings.base_path + "/connect/result/" + results_.keep(std::move(result)));
}

ServerResponse ConnectPages::failed(LoginFailed const& failure) {
    parts_.metrics
        .counter("brickgate_logins_finished_total", "Sign-ins ended.",
                 {{"code", std::string(failure.error.name())}})
        .add();
    if (failure.error.code() == ErrorCode::uri_too_long) {
        return error_page(parts_.settings, failure.error);
    }
    if (!failure.return_to.empty()) {
        return redirect(
            303, with_query(failure.return_to, {{"error", std::string(failure.error.name())}}));
    }
    LoginResult result;
    result.error = failure.error;
    auto const& fixed = parts_.registration->fixed_workspace;
    result.again.workspace = fixed && fixed->origin() == failure.workspace ? "" : failure.workspace;
    result.again.subject = failure.subject;
    return redirect(
        303, parts_.settings.base_path + "/connect/result/" + results_.keep(std::move(result)));
}

ServerResponse ConnectPages::result(std::string const& id) {
    auto const found = results_.find(id);
    if (!found) {
        return error_page(parts_.settings,
                          Error(ErrorCode::result_gone, "This result is no longer kept."));
    }
    return result_page(parts_.settings, *found);
}

}  // namespace brickgate
