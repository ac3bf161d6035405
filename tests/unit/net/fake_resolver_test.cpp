// SPDX-License-Identifier: Apache-2.0
#include "unit/net/fake_resolver.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <condition_variable>
#include <map>
#include <mutex>

namespace brickgate::testing {
namespace {

struct Book {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, std::vector<std::vector<std::string>>> answers;
    std::map<std::string, bool> hanging;
    std::map<std::string, int> lookups;
};

// Never destroyed: a look-up that hangs may outlive main().
Book& book() {
    static Book* const it = new Book;
    return *it;
}

using Real = int (*)(char const*, char const*, addrinfo const*, addrinfo**);

Real real_getaddrinfo() {
    static Real const real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "getaddrinfo"));
    return real;
}

int chain(std::vector<std::string> const& addresses, char const* port, addrinfo const* hints,
          addrinfo** out) {
    addrinfo wanted = hints != nullptr ? *hints : addrinfo{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_flags = AI_NUMERICHOST;
    addrinfo** end = out;
    *out = nullptr;
    for (std::string const& address : addresses) {
        if (real_getaddrinfo()(address.c_str(), port, &wanted, end) == 0) {
            while (*end != nullptr) {
                end = &(*end)->ai_next;
            }
        }
    }
    return *out == nullptr ? EAI_NONAME : 0;
}

}  // namespace

FakeResolver::FakeResolver() = default;

FakeResolver::~FakeResolver() {
    let_go();
    std::lock_guard lock(book().mutex);
    book().answers.clear();
    book().lookups.clear();
}

void FakeResolver::answer(std::string const& name, std::vector<std::vector<std::string>> answers) {
    std::lock_guard lock(book().mutex);
    book().answers[name] = std::move(answers);
}

void FakeResolver::hang(std::string const& name) {
    std::lock_guard lock(book().mutex);
    book().hanging[name] = true;
}

void FakeResolver::let_go() {
    std::lock_guard lock(book().mutex);
    book().hanging.clear();
    book().changed.notify_all();
}

int FakeResolver::lookups(std::string const& name) const {
    std::lock_guard lock(book().mutex);
    return book().lookups[name];
}

int resolve(std::string const& name, char const* port, addrinfo const* hints, addrinfo** out) {
    Book& it = book();
    std::unique_lock lock(it.mutex);
    int const nth = it.lookups[name]++;
    it.changed.wait(lock, [&] { return !it.hanging[name]; });
    auto const& answers = it.answers[name];
    if (answers.empty()) {
        return EAI_NONAME;
    }
    auto const addresses = answers[std::min(static_cast<std::size_t>(nth), answers.size() - 1)];
    lock.unlock();
    return chain(addresses, port, hints, out);
}

}  // namespace brickgate::testing

extern "C" int getaddrinfo(char const* name, char const* port, addrinfo const* hints,
                           addrinfo** out) {
    if (name != nullptr && std::string_view(name).ends_with(".bg.test")) {
        return brickgate::testing::resolve(name, port, hints, out);
    }
    return brickgate::testing::real_getaddrinfo()(name, port, hints, out);
}
