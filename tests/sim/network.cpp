// SPDX-License-Identifier: Apache-2.0
#include "sim/network.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;
using Outcome = Presentation::Outcome;

// So long a server may be at work on a request, and so long after its client has hung up. The waits
// of D.6 rest on the second: what acts on a request later than that makes any repeat a risk.
constexpr Milliseconds server_at_work = 25s;
constexpr Milliseconds server_notices = 5s;

HttpAnswer broken(ErrorCode code, Sent sent) {
    return std::unexpected(TransportError{Error(code, "The simulation says so."), sent});
}

HttpResponse page(int status) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", "text/html");
    response.body = Secret::copy_of("<html>sign in here</html>");
    return response;
}

}  // namespace

struct SimHttp::Call {
    HttpRequest request;
    Judge::Case it;
    Process::Wait wait = 0;
    std::optional<HttpAnswer> answer;
    Milliseconds left{};  // until our own deadline
};

Milliseconds SimHttp::travel() {
    return world_.faults.strikes(Fault::slow) ? world_.dice.between(1s, 12s)
                                              : world_.dice.between(5ms, 200ms);
}

Task<HttpAnswer> SimHttp::send(HttpRequest request, HttpLimits limits) {
    return request.method == "GET" ? ask(std::move(request), std::move(limits))
                                   : present(std::move(request), std::move(limits));
}

// What may be asked again at will.
Task<HttpAnswer> SimHttp::ask(HttpRequest request, HttpLimits) {
    co_await process_->pause(travel());
    if (world_.faults.strikes(Fault::connect_refused)) {
        co_return broken(ErrorCode::upstream_unreachable, Sent::not_sent);
    }
    if (world_.faults.strikes(Fault::busy)) {
        co_return page(503);
    }
    co_return world_.workspaces.get(request);
}

Task<HttpAnswer> SimHttp::present(HttpRequest request, HttpLimits limits) {
    Milliseconds const connecting = travel() / 4;
    at_door_();
    co_await process_->pause(connecting);
    if (world_.faults.strikes(Fault::connect_refused)) {
        co_return broken(ErrorCode::upstream_unreachable, Sent::not_sent);
    }
    bool const late = limits.not_after && world_.clock.steady() > *limits.not_after;
    if (late && !has(world_.broken, Break::late_send)) {
        world_.note("not sent, too late", node_);
        co_return broken(ErrorCode::request_aborted, Sent::not_sent);
    }
    auto const call = std::make_shared<Call>();
    std::string const token = form_field(request, "refresh_token");
    call->request = std::move(request);
    call->it = world_.judge.sent(node_, *process_, token);
    call->wait = process_->make_wait();
    call->left = limits.total - connecting;
    world_.note("presented", node_, 0, token);
    transmit(call);
    world_.agenda.after(call->left, [this_world = &world_, call, process = process_] {
        if (call->it->outcome != Outcome::awaited) {
            return;
        }
        this_world->judge.lost(*call->it);
        this_world->judge.ended(*call->it, Outcome::unknown);
        call->answer = broken(ErrorCode::upstream_timeout, Sent::maybe_sent);
        process->wake(call->wait);
    });
    at_door_();
    co_await process_->wait(call->wait);
    if (call->it->outcome == Outcome::definite) {
        world_.judge.delivered(*call->it);
    }
    co_return std::move(*call->answer);
}

// The process may be gone when this comes about, and the client with it: nothing here may look at
// `this` later than now.
void SimHttp::answer(std::shared_ptr<Call> const& call, Milliseconds back, HttpAnswer what,
                     Outcome outcome) {
    auto arrive = [world = &world_, process = process_, call, what = std::move(what),
                   outcome]() mutable {
        if (call->it->outcome != Outcome::awaited) {
            return;  // too late for anybody
        }
        world->note("answered", call->it->node, what ? what->status : 0);
        world->judge.ended(*call->it, outcome);
        call->answer = std::move(what);
        process->wake(call->wait);
    };
    world_.agenda.after(back, std::move(arrive));
}

void SimHttp::break_off(std::shared_ptr<Call> const& call, Milliseconds when) {
    world_.judge.lost(*call->it);
    answer(call, when, broken(ErrorCode::upstream_unreachable, Sent::maybe_sent), Outcome::reset);
}

// Before the grant is looked at.
bool SimHttp::refuse_at_the_door(std::shared_ptr<Call> const& call, Milliseconds there) {
    auto& faults = world_.faults;
    auto& dice = world_.dice;
    Milliseconds const both_ways = there + travel();
    if (faults.strikes(Fault::client_refused)) {
        world_.client_refused_until = world_.agenda.now() + dice.between(1s, 5min);
    }
    if (world_.agenda.now() < world_.client_refused_until) {
        answer(call, both_ways, json_response(401, R"({"error":"invalid_client"})"),
               Outcome::not_spent);
    } else if (faults.strikes(Fault::busy)) {
        auto response = json_response(dice.chance(0.5) ? 429 : 503, "{}");
        if (dice.chance(0.5)) {
            response.headers.add("Retry-After", std::to_string(dice.below(120)));
        }
        answer(call, both_ways, std::move(response), Outcome::not_spent);
    } else if (faults.strikes(Fault::page)) {
        bool const looks_good = dice.chance(0.3);
        answer(call, both_ways, page(looks_good ? 200 : 403),
               looks_good ? Outcome::reset : Outcome::not_spent);
    } else if (faults.strikes(Fault::failed_before)) {
        bool const own = dice.chance(0.5);
        answer(call, both_ways, json_response(own ? 500 : 502, "{}"),
               own ? Outcome::reset : Outcome::unknown);
    } else if (faults.strikes(Fault::request_lost)) {
        if (dice.chance(0.5)) {
            break_off(call, there);
        }  // else nothing is heard until our own deadline
    } else {
        return false;
    }
    return true;
}

// The server acts, unless it has noticed that nobody waits any more.
TokenAnswer SimHttp::serve(World& world, Call& call, Process const& client) {
    if (client.died_at() && world.agenda.now() > *client.died_at() + server_notices) {
        return {};
    }
    auto served = world.workspaces.token(call.request);
    world.judge.served(*call.it, served);
    return served;
}

void SimHttp::transmit(std::shared_ptr<Call> const& call) {
    Milliseconds there = travel();
    if (refuse_at_the_door(call, there)) {
        return;
    }
    auto& faults = world_.faults;
    auto& dice = world_.dice;
    if (faults.strikes(Fault::failed_after) && dice.chance(0.5)) {
        // A gateway on the way gives up on a server that is still at work.
        Milliseconds const given_up = dice.between(500ms, 15s);
        answer(call, given_up, json_response(504, "{}"), Outcome::unknown);
        world_.judge.lost(*call->it);
        world_.agenda.after(
            given_up + dice.between(0ms, server_notices),
            [world = &world_, call, process = process_] { serve(*world, *call, *process); });
        return;
    }
    if (faults.strikes(Fault::slow)) {
        there = dice.between(1s, std::min(server_at_work, call->left + server_notices));
    }
    // Chosen now, so that what the process does meanwhile changes nothing.
    bool const fails = faults.strikes(Fault::failed_after);
    bool const unreadable = faults.strikes(Fault::answer_unreadable);
    bool const half = faults.strikes(Fault::answer_half);
    bool const lost = faults.strikes(Fault::answer_lost);
    bool const heard = dice.chance(0.5);
    Milliseconds const back = travel();
    struct Way {
        bool broken, told, fails, unreadable;
    };
    Way const way{half || lost, half || heard, fails, unreadable};
    world_.agenda.after(
        there, [world = &world_, call, way, back, node = node_, process = process_] {
            auto served = serve(*world, *call, *process);
            SimHttp http(*world, node, process, [] {});
            if (way.broken || way.fails || way.unreadable) {
                world->judge.lost(*call->it);
            }
            if (way.broken) {
                if (way.told) {
                    http.break_off(call, back);
                }
            } else if (way.fails) {
                http.answer(call, back, json_response(500, "{}"), Outcome::reset);
            } else if (way.unreadable) {
                http.answer(call, back, json_response(200, R"({"access_to)"), Outcome::reset);
            } else {
                http.answer(call, back, std::move(served.response), Outcome::definite);
            }
        });
}

}  // namespace brickgate::sim
