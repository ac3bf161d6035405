// SPDX-License-Identifier: Apache-2.0
// A step in words, with what matters of the state that it led to.
#include "model/steps.h"

namespace brickgate::model {

namespace {

char const* words(Step step) {
    switch (step) {
        case Step::start:
            return "begins";
        case Step::claim:
            return "claims";
        case Step::claim_reported_as_failed:
            return "claims, but is told that the write failed";
        case Step::take_over:
            return "is let to take over the other's intent";
        case Step::find_lease_over:
            return "finds its time over and sends nothing";
        case Step::stall_after_check:
            return "looks at its deadline, and stalls";
        case Step::not_connect:
            return "cannot connect";
        case Step::send:
            return "sends its request";
        case Step::receive:
            return "receives the answer";
        case Step::spool:
            return "goes on with the answer (spooled, where there is a spool)";
        case Step::fail_to_spool:
            return "cannot write to its spool and goes on";
        case Step::save:
            return "saves";
        case Step::save_reported_as_failed:
            return "saves, but is told that the write failed";
        case Step::not_save:
            return "cannot save";
        case Step::write_failure:
            return "writes that the grant has ended";
        case Step::write_failure_reported_as_failed:
            return "writes that the grant has ended, but is told that the write failed";
        case Step::not_write_failure:
            return "cannot write that the grant has ended";
        case Step::back_off:
            return "writes its back-off";
        case Step::back_off_reported_as_failed:
            return "writes its back-off, but is told that the write failed";
        case Step::not_back_off:
            return "cannot write its back-off";
        case Step::crash:
            return "crashes";
        case Step::crash_and_lose_note:
            return "crashes before the note that its spool entry is settled reached the disk";
        case Step::restart:
            return "comes back";
        case Step::replay:
            return "looks at what its spool has";
        case Step::recovered:
            return "notes its open intent and is ready";
        case Step::lose_request:
            return "loses the connection; the server never saw the request";
        case Step::stop_waiting:
            return "stops waiting; its request is still on the way";
        case Step::lose_answer:
            return "loses the connection before the answer is whole";
        case Step::server_answers:
            return "is answered by the server";
        case Step::server_is_busy:
            return "is told that the server is busy";
        case Step::stray_arrives:
            return "a request that nobody waits for reaches the server";
        case Step::stray_vanishes:
            return "a request that nobody waits for is dropped";
        case Step::lease_runs_out:
            return "the lease runs out";
        case Step::grace_ends:
            return "the server's grace for the previous token ends";
        case Step::sign_in_again:
            return "the person signs in again";
    }
    return "?";
}

std::string of_answer(Byte answer) {
    switch (answer) {
        case no_answer:
            return "";
        case of_old_family:
            return ", has a token of the old grant";
        case refused:
            return ", has invalid_grant";
        case busy:
            return ", has a 503";
        default:
            return ", has token " + std::to_string(answer);
    }
}

std::string of_row(Row const& row) {
    static constexpr std::array states{"active", "uncertain", "reauth_required"};
    static constexpr std::array reasons{"", " (revoked)", " (outcome_lost)"};
    std::string out = "row: generation " + std::to_string(row.generation) + ", token " +
                      std::to_string(row.token) + ", " +
                      states.at(static_cast<std::size_t>(row.state)) +
                      reasons.at(static_cast<std::size_t>(row.reason));
    if (row.alternative != 0) {
        out += ", alternative " + std::to_string(row.alternative);
    }
    if (row.intent != 0) {
        out += std::string(", intent of ") + (row.intent == 1 ? "A" : "B") + ", presented " +
               std::to_string(row.presented);
    }
    if (row.lease != 0) {
        out += std::string(", lease of ") + (row.lease == 1 ? "A" : "B");
    }
    return out;
}

}  // namespace

std::string describe(Successor const& step) {
    std::string out = step.node == 2 ? "" : step.node == 0 ? "A " : "B ";
    out += words(step.step);
    if (step.node < 2) {
        out += of_answer(step.state.nodes.at(step.node).answer);
    }
    Server const& server = step.state.server;
    return out + "  [" + of_row(step.state.row) + "; server: " +
           (server.revoked != 0 ? "all revoked" : "token " + std::to_string(server.current)) + "]";
}

}  // namespace brickgate::model
