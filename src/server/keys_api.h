// SPDX-License-Identifier: Apache-2.0
#pragma once
// GET /v1/keys, POST /v1/keys/rotate, /v1/keys/{id}/retire, /v1/root-keys/rotate and
// /v1/root-keys/{id}/retire: the vault's keys, for administrators. Shows ids and counts, never a
// key. Owned by the composition root; any thread.
#include "net/router.h"
#include "net/runtime.h"
#include "vault/api_keys.h"
#include "vault/root_rotation.h"

namespace brickgate {

class KeysApi {
 public:
    struct Parts {
        ApiKeys const& keys;
        Keyring const& keyring;
        KeyRotation& rotation;
        RootRotation& root_rotation;
        Executor control;
    };
    explicit KeysApi(Parts parts) : parts_(std::move(parts)) {}
    void add_to(Router& router);

 private:
    Task<ServerResponse> list(ServerRequest const& request);
    Task<ServerResponse> rotate(ServerRequest const& request);
    Task<ServerResponse> retire(ServerRequest const& request, PathParams params);
    Task<ServerResponse> rotate_root(ServerRequest const& request);
    Task<ServerResponse> retire_root(ServerRequest const& request, PathParams params);
    Task<ServerResponse> listed();
    Task<ServerResponse> after(Task<Result<void>> change);

    Parts parts_;
};

}  // namespace brickgate
