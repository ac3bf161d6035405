// SPDX-License-Identifier: Apache-2.0
#include "events/event.h"

#include "base/json.h"

namespace brickgate {

namespace {

json::object about(Connection const& row) {
    json::object data;
    data["workspace"] = row.workspace;
    data["subject"] = row.subject;
    data["user_name"] = row.principal.user_name;
    data["generation"] = row.generation;
    return data;
}

EventRow made(Time at, std::string type, std::string connection, json::object data) {
    return {0, at, std::move(type), std::move(connection), json::serialize(data)};
}

}  // namespace

EventRow login_denied(Time at, std::string const& workspace, std::string const& subject,
                      ErrorCode code) {
    json::object data;
    data["workspace"] = workspace;
    data["subject"] = subject;
    data["code"] = info_of(code).name;
    return made(at, "login.denied", "", std::move(data));
}

EventRow connection_connected(Time at, Connection const& row, bool reconnected) {
    auto data = about(row);
    data["scopes"] = row.scopes.to_string();
    data["reconnected"] = reconnected;
    return made(at, "connection.connected", row.id.value(), std::move(data));
}

EventRow connection_refreshed(Time at, Connection const& row) {
    return made(at, "connection.refreshed", row.id.value(), about(row));
}

EventRow connection_reauth_required(Time at, Connection const& row, ReauthReason reason) {
    auto data = about(row);
    data["reason"] = to_string(reason);
    return made(at, "connection.reauth_required", row.id.value(), std::move(data));
}

EventRow connection_protocol_error(Time at, Connection const& row, ErrorCode code) {
    auto data = about(row);
    data["code"] = info_of(code).name;
    return made(at, "connection.protocol_error", row.id.value(), std::move(data));
}

EventRow connection_recovered(Time at, Connection const& row) {
    auto data = about(row);
    data["from"] = to_string(row.state);
    return made(at, "connection.recovered", row.id.value(), std::move(data));
}

EventRow connection_disconnected(Time at, Connection const& row) {
    return made(at, "connection.disconnected", row.id.value(), about(row));
}

EventRow registration_app_fault(Time at, RegistrationId const& registration, ErrorCode code) {
    json::object data;
    data["registration"] = registration.value();
    data["code"] = info_of(code).name;
    return made(at, "registration.app_fault", "", std::move(data));
}

EventRow host_blocked(Time at, Connection const& row, ErrorCode code) {
    auto data = about(row);
    data["code"] = info_of(code).name;
    return made(at, "host.blocked", row.id.value(), std::move(data));
}

}  // namespace brickgate
