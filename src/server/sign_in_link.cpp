// SPDX-License-Identifier: Apache-2.0
#include "server/sign_in_link.h"

#include <algorithm>
#include <vector>

#include "base/encoding.h"

namespace brickgate {

Result<SignInLink> SignInLink::parse(std::string_view query) {
    auto const fields = form_decode(query);
    if (!fields) {
        return fail(ErrorCode::invalid_request, "The address has a broken escape.");
    }
    SignInLink link;
    std::vector<std::string_view> seen;
    for (auto const& [name, value] : *fields) {
        std::string* const slot = name == "workspace"   ? &link.workspace
                                  : name == "subject"   ? &link.subject
                                  : name == "return_to" ? &link.return_to
                                                        : nullptr;
        if (!slot) {
            continue;
        }
        if (std::ranges::find(seen, name) != seen.end()) {
            return fail(ErrorCode::invalid_request,
                        "The address has a parameter twice: " + name + ".");
        }
        seen.push_back(name);
        *slot = value;
    }
    return link;
}

std::string SignInLink::query() const {
    FormFields fields;
    for (auto const& [name, value] :
         {std::pair("workspace", &workspace), {"subject", &subject}, {"return_to", &return_to}}) {
        if (!value->empty()) {
            fields.emplace_back(name, *value);
        }
    }
    return fields.empty() ? std::string() : '?' + form_encode(fields);
}

}  // namespace brickgate
