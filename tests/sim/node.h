// SPDX-License-Identifier: Apache-2.0
#pragma once
// A machine that runs the program again and again: a disk that stays, and on it one life after the
// other, made of the product's own machines as the composition root makes them (app/gateway_open).
#include <optional>

#include "connect/login.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "tokens/refresher.h"
#include "tokens/scheduler.h"

namespace brickgate::sim {

class Node {
 public:
    Node(World& world, std::string name)
        : world_(world), name_(std::move(name)), disk_(world.dice) {}
    ~Node();

    struct Life;
    void start();
    void crash();                    // kill -9, or the power is cut
    void stop();                     // as by SIGTERM: what is in the air is finished first
    bool serves() const;             // recovered, and not stopping
    Life& life() { return *life_; }  // where serves()
    std::string const& name() const { return name_; }
    std::size_t in_flight() const;
    std::uint64_t crashes() const { return crashes_; }

 private:
    Task<void> live(std::shared_ptr<Life> life);
    Task<void> keep_schedule(std::shared_ptr<Life> life);
    Task<void> end_in_order(std::shared_ptr<Life> life);
    void end(bool power_cut);
    void at_door();
    SimSpool::Tell tell();

    World& world_;
    std::string name_;
    Disk disk_;
    std::shared_ptr<Life> life_;
    std::uint64_t lives_ = 0;
    std::uint64_t crashes_ = 0;
};

// In the order of construction; destroyed the other way round, the process last.
struct Node::Life {
    Life(World& world, std::string const& node, std::string boot, Disk& disk, SimSpool::Tell tell,
         std::uint64_t seed, std::function<void()> at_door);

    std::shared_ptr<Process> process;
    SimRandom random;
    Envelope envelope;
    SimRunner runner;
    Vault vault;
    SimSpool spool;
    SimHttp http;
    RefreshPolicy policy;
    Discovery discovery;
    TokenCache cache;
    Refresher refresher;
    Scheduler scheduler;
    Login login;
    bool serving = false;
    bool stopping = false;
};

}  // namespace brickgate::sim
