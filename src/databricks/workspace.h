// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which host is meant, and whether it may be spoken to at all (T12). A WorkspaceHost is only made
// by parsing what a person typed or an operator configured; it is canonical and compared as it is.
// Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brickgate {

enum class HostKind : std::uint8_t { aws, azure, gcp, unified, account, operator_listed };

class WorkspaceHost {
 public:
    std::string const& host() const { return host_; }  // without port
    std::string const& origin() const {
        return origin_;
    }  // https://host, or as the operator wrote it
    HostKind kind() const { return kind_; }
    bool plain_http() const { return origin_.starts_with("http://"); }
    std::string const& workspace_id() const {
        return workspace_id_;
    }  // of ?o= or ?w=; may be empty
    bool operator==(WorkspaceHost const& other) const { return origin_ == other.origin_; }

 private:
    friend class HostAllowList;
    std::string host_;
    std::string origin_;
    std::string workspace_id_;
    HostKind kind_ = HostKind::operator_listed;
};

// What a person pastes: with or without https://, path, query, spaces, capitals. Errors:
// host_required, host_denied; a placeholder that was left in place is named.
struct TypedHost {
    std::string scheme;  // "https" unless http:// was typed
    std::string host;    // lower case
    std::string port;    // empty: the scheme's own
    std::string workspace_id;
    static Result<TypedHost> parse(std::string_view typed);
    std::string origin() const;
};

// Databricks' own names by their published templates; nullopt for every other host.
std::optional<HostKind> databricks_host_kind(std::string_view host);
// May signing keys be fetched from there? Regional control planes are normal (facts 1.5).
bool is_databricks_suffix(std::string_view host);

// The hosts that one registration serves. What is not listed never receives a byte.
class HostAllowList {
 public:
    // "dbc-1.cloud.databricks.com", ".corp.example" (a suffix: https, any label below it), or an
    // origin with a port; http:// for loopback only. Errors: config_invalid.
    Result<void> add(std::string_view entry);
    // For a client without a secret: every host that is Databricks' own by name.
    void add_databricks() { any_databricks_ = true; }
    // Errors: host_required, host_denied.
    Result<WorkspaceHost> admit(std::string_view typed) const;
    std::vector<std::string> const& exact_origins() const { return exact_; }
    bool empty() const { return exact_.empty() && suffixes_.empty() && !any_databricks_; }

 private:
    std::vector<std::string> exact_;  // origins
    bool any_databricks_ = false;
    std::vector<std::string> suffixes_;  // with the leading dot
};

}  // namespace brickgate
