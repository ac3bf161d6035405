// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who uses the gateway: programs that ask for tokens, report refused ones and end connections,
// people who consent (again), admins who revoke. What they are told goes to the judge.
#include <string>
#include <vector>

#include "sim/node.h"

namespace brickgate::sim {

class People {
 public:
    People(World& world, std::vector<std::unique_ptr<Node>>& nodes);

    void begin();  // from now on they come and go by themselves
    // The row of a person's connection, if there is one that was not ended.
    Connection const* connection_of(std::size_t person) const;
    // Everybody has a connection that works or knows that it does not.
    bool settled(Instant since) const;
    std::uint64_t tokens() const { return tokens_; }

 private:
    struct Person {
        std::string name;
        bool signing_in = false;
        bool wants = true;  // until a connection died or was ended, and the person lets it be
        std::uint64_t asked = 0;
        std::optional<Instant> served_at;
    };
    Node* some_node();
    void visit(std::size_t person);
    void act(std::size_t person);
    void ask(std::size_t person, ConnectionId const& id);
    void sign_in(std::size_t person);
    Task<void> ask_on(Node& node, std::size_t person, ConnectionId id, TokenWish wish);
    Task<void> sign_in_on(Node& node, std::size_t person);
    Task<void> disconnect_on(Node& node, ConnectionId id);
    void expect_end(std::size_t person, std::weak_ptr<Process> process, std::shared_ptr<bool> done);

    World& world_;
    std::vector<std::unique_ptr<Node>>& nodes_;
    std::vector<Person> people_;
    std::uint64_t tokens_ = 0;
};

}  // namespace brickgate::sim
