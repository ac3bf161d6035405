// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signing a person in: begin() makes the authorize URL and remembers the attempt, finish() checks
// what came back, redeems the code once and keeps the tokens. Owned by the composition root; runs
// on the control executor. The front channel names no endpoint: everything comes from the row of
// this attempt (T11, T13).
//
// A browser that goes away must not cancel finish(): once the code is sent, the answer belongs to
// the person, not to the request. Callers run it to its end on the control executor (run_on of
// net/bridge.h) and only wait for it.

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "connect/discovery.h"
#include "databricks/registration.h"
#include "net/http_client.h"
#include "net/task.h"
#include "net/timers.h"
#include "oauth/authorization.h"
#include "vault/spool.h"
#include "vault/vault.h"

namespace brickgate {

struct LoginWish {
    std::string workspace;  // as typed; empty: the registration's fixed one
    std::string subject;
    std::string return_to;  // empty or one of the configured URLs, byte for byte
    std::optional<RedirectUri>
        redirect_uri;              // the terminal's loopback address; else the registration's
    std::optional<Scopes> scopes;  // a subset of the registration's
};

struct LoginStart {
    std::string authorize_url;
    std::string cookie_name_suffix;  // 8 hex digits of SHA-256(state)
    Secret cookie_value;             // binds the attempt to this browser (T01)
    std::string workspace;
    Time expires_at{};
};

struct LoginFinished {
    Connection connection;
    bool reconnected = false;
    bool session_only = false;  // no refresh token came: said, never silent
    bool scope_reduced = false;
    std::string return_to;
};

struct LoginFailed {
    Error error;
    std::string return_to;  // set only where the attempt was proved to be this browser's
    std::string workspace;  // likewise, for a way to begin again
    std::string subject;
};

// What a browser shows for one attempt.
struct PresentedCookie {
    std::optional<std::string> value;  // of this attempt
    std::optional<Time> newest_other;  // when the last of its other attempts was begun
};

class Login {
 public:
    struct Parts {
        std::vector<std::shared_ptr<Registration const>> const& registrations;
        Vault& vault;
        Spool& spool;
        HttpClient& http;
        Discovery& discovery;
        Clock& clock;
        Random& random;
        std::vector<std::string> const& return_to_allowed;
        std::size_t logins_max;
        std::function<Time(Time issued, Time expires)>
            refresh_due;  // the policy's, which lives in tokens/
        Timers& timers;
    };
    explicit Login(Parts parts);

    // May this person be sent back there, under this name? Any thread. Errors: return_to_denied,
    // and where the way back is good, invalid_request.
    Result<void> check(LoginWish const& wish) const;
    // Errors: check()'s, host_required, host_denied, scope_denied, all
    // before a byte goes out; then discovery's, too_many_logins and the store's.
    Task<Result<LoginStart>> begin(std::shared_ptr<Registration const> registration,
                                   LoginWish wish);
    // `query`: the raw query of the callback. `cookie`: finds the cookie with this name suffix.
    using CookieLookup = std::function<Result<PresentedCookie>(std::string const& suffix)>;
    Task<std::expected<LoginFinished, LoginFailed>> finish(std::string query, CookieLookup cookie);
    // Forgets attempts that ended long ago. They are kept for a while, so that who comes late hears
    // that it was too late; begin() makes room among them when there are too many.
    Task<Result<void>> sweep();
    // Answers that were spooled by a run that died before it could keep them; entries of another
    // kind are passed over. What fails is logged and dropped; what the store cannot take now stays
    // in the spool.
    Task<void> recover(std::vector<SpoolEntry> entries);

 private:
    struct Context;
    // `settled` false: the answer must stay in the spool, since only the store failed.
    struct Completed {
        Result<LoginFinished> result;
        bool settled = true;
    };
    enum class Run : std::uint8_t { live, replay };
    using Finished = std::expected<LoginFinished, LoginFailed>;

    std::shared_ptr<Registration const> registration_of(RegistrationId const& id) const;
    Task<void> note_denied(LoginRow const& row);
    Task<Result<LoginFinished>> redeem(ValidatedCode code, Vault::TakenLogin taken);

    Task<Completed> complete(Context context, HttpResponse answer, Time received_at, Run run);
    Task<Result<Connection>> keep(Connection wanted, TokenSet tokens, Time received_at, Run run);
    Task<Result<Connection>> keep_once(Connection const& wanted, TokenSet const& tokens,
                                       Time received_at, Run run);
    Task<Result<Principal>> identify(Context const& context,
                                     std::shared_ptr<Registration const> registration,
                                     TokenSet const& tokens, Time received_at);
    Task<Result<Principal>> from_id_token(Context const& context,
                                          std::shared_ptr<Registration const> registration,
                                          TokenSet const& tokens, Time received_at);
    Task<Result<Principal>> from_scim(Context const& context,
                                      std::shared_ptr<Registration const> registration,
                                      AccessToken const& token);
    Task<void> recover_one(SpoolEntry entry);

    Parts parts_;
};

}  // namespace brickgate
