// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that can happen next in a state. Pure.

#include <string>
#include <vector>

#include "model/state.h"

namespace brickgate::model {

enum class Step : Byte {
    start,
    claim,
    claim_reported_as_failed,
    take_over,
    find_lease_over,
    stall_after_check,
    not_connect,
    send,
    receive,
    spool,
    fail_to_spool,
    save,
    save_reported_as_failed,
    not_save,
    write_failure,
    write_failure_reported_as_failed,
    not_write_failure,
    back_off,
    back_off_reported_as_failed,
    not_back_off,
    crash,
    crash_and_lose_note,
    restart,
    replay,
    recovered,
    lose_request,
    stop_waiting,
    lose_answer,
    server_answers,
    server_is_busy,
    stray_arrives,
    stray_vanishes,
    lease_runs_out,
    grace_ends,
    sign_in_again,
};

struct Successor {
    State state;
    Step step;
    Byte node;  // 0 or 1; 2: nobody's
};

void successors(State const& from, Setting const& setting, std::vector<Successor>& out);
std::string describe(Successor const& step);

}  // namespace brickgate::model
