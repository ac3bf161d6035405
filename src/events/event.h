// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened, as rows for the store: made here, written in the transaction of the change they
// tell of. Redacted by construction: an event is made of codes, ids, times and names, never of
// tokens or of another server's words. Pure; any thread.

#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "vault/connection.h"
#include "vault/store.h"

namespace brickgate {

EventRow login_denied(Time at, std::string const& workspace, std::string const& subject,
                      ErrorCode code);
EventRow connection_connected(Time at, Connection const& row, bool reconnected);
EventRow connection_refreshed(Time at, Connection const& row);
EventRow connection_reauth_required(Time at, Connection const& row, ReauthReason reason);
// An alarm: a 2xx that cannot be read, so a token may be in it that nobody has.
EventRow connection_protocol_error(Time at, Connection const& row, ErrorCode code);
EventRow connection_recovered(Time at, Connection const& row);
EventRow connection_disconnected(Time at, Connection const& row);
EventRow registration_app_fault(Time at, RegistrationId const& registration, ErrorCode code);
EventRow host_blocked(Time at, Connection const& row, ErrorCode code);

}  // namespace brickgate
