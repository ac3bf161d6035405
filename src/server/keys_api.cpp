// SPDX-License-Identifier: Apache-2.0
#include "server/keys_api.h"

#include <charconv>

#include "base/json.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "net/task_group.h"
#include "server/access.h"
#include "server/api_json.h"
#include "vault/data_key.h"

namespace brickgate {

namespace {

json::object use_json(KeyRotation::KeyUse const& use) {
    json::object records;
    records["access_tokens"] = use.records.access_tokens;
    records["refresh_tokens"] = use.records.refresh_tokens;
    records["alternatives"] = use.records.alternatives;
    records["logins"] = use.records.logins;
    records["spool"] = use.spooled;
    json::object out;
    out["id"] = use.key.id;
    out["purpose"] = use.key.purpose;
    out["state"] = use.key.state;
    out["created_at"] = to_rfc3339(use.key.created_at);
    out["records"] = std::move(records);
    return out;
}

std::uint64_t still_under_former(std::vector<KeyRotation::KeyUse> const& uses) {
    std::uint64_t left = 0;
    for (auto const& use : uses) {
        left += use.key.state == key_state::decrypt_only ? use.records.all() : 0;
    }
    return left;
}

json::array roots_json(Keyring const& keyring) {
    json::array out;
    out.push_back(json::object{{"id", keyring.root_id()}, {"state", "active"}});
    for (auto const& id : keyring.former_roots()) {
        out.push_back(json::object{{"id", id}, {"state", "decrypt_only"}});
    }
    return out;
}

std::optional<std::uint32_t> key_id_of(std::string_view text) {
    std::uint32_t id = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
    return failed == std::errc() && end == text.data() + text.size() ? std::optional(id)
                                                                     : std::nullopt;
}

}  // namespace

void KeysApi::add_to(Router& router) {
    auto const add = [&](std::string method, std::string pattern, RouteHandler handler) {
        bool const head = method == "GET";
        router.add({std::move(method), std::move(pattern), Audience::api, Visibility::private_,
                    head, std::move(handler)});
    };
    add("GET", "/v1/keys", [this](auto const& request, PathParams) { return list(request); });
    add("POST", "/v1/keys/rotate",
        [this](auto const& request, PathParams) { return rotate(request); });
    add("POST", "/v1/keys/{id}/retire", [this](auto const& request, PathParams params) {
        return retire(request, std::move(params));
    });
    add("POST", "/v1/root-keys/rotate",
        [this](auto const& request, PathParams) { return rotate_root(request); });
    add("POST", "/v1/root-keys/{id}/retire", [this](auto const& request, PathParams params) {
        return retire_root(request, std::move(params));
    });
}

Task<ServerResponse> KeysApi::listed() {
    auto task = parts_.rotation.state();
    auto const state = co_await run_on(parts_.control, std::move(task));
    if (!state) {
        co_return error_response(state.error());
    }
    json::array items;
    for (auto const& use : state->keys) {
        items.push_back(use_json(use));
    }
    auto const& progress = state->progress;
    json::object out;
    out["items"] = std::move(items);
    out["root_keys"] = roots_json(parts_.keyring);
    out["rotation"] = {{"running", progress.running},
                       {"resealed", progress.resealed},
                       {"unreadable", progress.unreadable},
                       {"left", still_under_former(state->keys)}};
    co_return json_answer(out);
}

Task<ServerResponse> KeysApi::after(Task<Result<void>> change) {
    auto const changed = co_await run_on(parts_.control, std::move(change));
    if (!changed) {
        co_return error_response(changed.error());
    }
    co_return co_await listed();
}

Task<ServerResponse> KeysApi::list(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    co_return co_await listed();
}

Task<ServerResponse> KeysApi::rotate(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const rotated = co_await run_on(parts_.control, parts_.rotation.rotate());
    if (!rotated) {
        co_return error_response(rotated.error());
    }
    spawn(parts_.control, parts_.rotation.reseal());
    co_return co_await listed();
}

Task<ServerResponse> KeysApi::retire(ServerRequest const& request, PathParams params) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const id = key_id_of(params.get("id"));
    if (!id) {
        co_return error_response(Error(ErrorCode::not_found, "There is no such key."));
    }
    co_return co_await after(parts_.rotation.retire(*id));
}

Task<ServerResponse> KeysApi::rotate_root(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    co_return co_await after(parts_.root_rotation.rotate());
}

Task<ServerResponse> KeysApi::retire_root(ServerRequest const& request, PathParams params) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    co_return co_await after(parts_.root_rotation.retire(std::string(params.get("id"))));
}

}  // namespace brickgate
