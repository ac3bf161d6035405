// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stands between libcurl and the system's resolver: this program's getaddrinfo() wins over libc's.
// Names below .bg.test answer what a test says; everything else goes to libc.
#include <string>
#include <vector>

namespace brickgate::testing {

class FakeResolver {
 public:
    FakeResolver();
    ~FakeResolver();  // forgets everything and lets hanging look-ups go
    // One list of addresses for each look-up; the last one repeats.
    void answer(std::string const& name, std::vector<std::vector<std::string>> answers);
    void hang(std::string const& name);
    void let_go();
    int lookups(std::string const& name) const;
};

}  // namespace brickgate::testing
