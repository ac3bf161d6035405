// SPDX-License-Identifier: Apache-2.0
// Keys and capabilities in addresses (T49), and who counts as a process of our own.
#include "server/access.h"

#include <gmock/gmock.h>

#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

std::string const key_shape = "bg_0123456789abcdef_" + std::string(43, 'A');
std::string const capability_shape = "bgc_0123456789abcdef_" + std::string(43, '-');

bool found(std::string const& target, std::string_view base_path = "") {
    return has_key_in_url(ServerRequest::of("GET", target), base_path);
}

TEST(KeyInUrl, T49_it_is_found_in_query_and_path_escaped_or_not) {
    for (auto const& secret : {key_shape, capability_shape}) {
        std::string escaped;
        for (char const c : secret) {
            escaped += "%" + hex_encode(std::string(1, c));
        }
        auto const twice = "%2562" + secret.substr(1);
        for (auto const& target :
             {"/v1/connections?key=" + twice, "/api/2.0/x?y=%25" + twice.substr(1),
              "/v1/connections?key=" + secret, "/v1/connections?a=b&" + secret,
              "/auth?state=x" + secret + "&y=z", "/v1/connections?key=Bearer%20" + secret,
              "/v1/connections?key=%62" + secret.substr(1), "/v1/connections?key=" + escaped,
              "/v1/connections?broken=%zz&key=" + secret, "/v1/connections/" + secret,
              "/api/2.0/bg/bgc_/" + secret + "/x", "/m/x/" + secret,
              "/m/" + secret + "?key=" + secret, "/m/" + secret + "/" + secret, "/x/m/" + secret}) {
            EXPECT_TRUE(found(target)) << target;
        }
    }
}

TEST(KeyInUrl, T49_the_metadata_service_has_them_in_the_path) {
    EXPECT_FALSE(found("/m/" + capability_shape));
    EXPECT_FALSE(found("/m/" + capability_shape, "/gate"));
    EXPECT_FALSE(found("/gate/m/" + capability_shape, "/gate"));
    EXPECT_TRUE(found("/gate/m/" + capability_shape));
}

TEST(KeyInUrl, what_only_resembles_one_is_let_through) {
    for (auto const& target :
         {std::string("/"), std::string("/v1/connections?subject=bg"),
          std::string("/api/2.0/bg_x?bgc_=1&bg_"), "/x?" + key_shape.substr(0, 62),
          "/x?BG_" + key_shape.substr(3), "/x?bg_0123456789ABCDEF" + key_shape.substr(19),
          std::string("/x?y=%") + key_shape.substr(0, 20)}) {
        EXPECT_FALSE(found(target)) << target;
    }
}

class Leaks : public ::testing::Test, public Site {
 protected:
    std::optional<Error> refuse(std::string const& target) {
        UrlKeys url_keys({"", keys(), capabilities(), context().get_executor()});
        auto refused = url_keys.refuse(ServerRequest::of("GET", target));
        context().restart();
        context().run();
        return refused;
    }
    static std::string text_of(Secret const& secret) {
        return secret.expose([](std::string_view text) { return std::string(text); });
    }
};

TEST_F(Leaks, T49_a_genuine_one_is_noted_and_goes_on_working) {
    auto const key = run_task(keys().create("name", {"token:read"}, std::nullopt)).value();
    auto const id = sign_in()->connection.id;
    auto const lent = run_task(capabilities().create({.connection = id})).value();
    EXPECT_FALSE(refuse("/v1/connections"));
    EXPECT_FALSE(keys().list().at(0).leaked_at);

    auto const of_key = refuse("/v1/connections?key=" + text_of(key.key));
    auto const of_lent = refuse("/v1/connections?key=" + text_of(lent.capability));
    ASSERT_TRUE(of_key && of_lent);
    EXPECT_EQ(of_key->name(), "key_in_url");
    EXPECT_EQ(of_key->http_status(), 400);
    EXPECT_EQ(of_key->message(), of_lent->message());
    EXPECT_EQ(keys().list().at(0).leaked_at, clock.now());
    EXPECT_EQ(capabilities().list().at(0).leaked_at, clock.now());
    EXPECT_TRUE(keys().verify(text_of(key.key)));
    EXPECT_TRUE(capabilities().verify(text_of(lent.capability)));
}

// Or whoever knows an id, which stands in lists and logs, could have any key called leaked.
TEST_F(Leaks, T49_one_that_is_not_genuine_is_refused_alike_and_marks_nothing) {
    auto const key = run_task(keys().create("name", {"token:read"}, std::nullopt)).value();
    auto const invented = "bg_" + key.row.id + "_" + std::string(43, 'A');
    auto const refused = refuse("/v1/connections?key=" + invented);
    auto const genuine = refuse("/v1/connections?key=" + text_of(key.key));
    ASSERT_TRUE(refused && genuine);
    EXPECT_EQ(refused->message(), genuine->message());
    auto const other = run_task(keys().create("other", {"token:read"}, std::nullopt)).value();
    ASSERT_TRUE(refuse("/?" + ("bg_" + other.row.id + "_" + std::string(43, 'A'))));
    for (auto const& row : keys().list()) {
        EXPECT_EQ(row.leaked_at.has_value(), row.name == "name");
    }
}

TEST(Bearer, there_is_one_header_with_one_bearer) {
    auto const of = [](std::vector<std::string> const& values) {
        ServerRequest request;
        for (auto const& value : values) {
            request.headers.push_back({"authorization", value});
        }
        return std::string(bearer_of(request).value_or("none"));
    };
    EXPECT_EQ(of({"Bearer abc"}), "abc");
    EXPECT_EQ(of({"bearer abc"}), "abc");
    EXPECT_EQ(of({}), "none");
    EXPECT_EQ(of({"Bearer abc", "Bearer abc"}), "none");
    EXPECT_EQ(of({"Basic abc"}), "none");
    EXPECT_EQ(of({"Bearer "}), "none");
    EXPECT_EQ(of({"Bearerabc"}), "none");
}

TEST(OwnProcess, the_kernel_says_whose_it_is) {
    ServerRequest request;
    request.listener = ListenerKind::local_socket;
    EXPECT_FALSE(is_own_process(request)) << "nobody said";
    request.peer_uid = geteuid();
    EXPECT_TRUE(is_own_process(request));
    request.peer_uid = 0;
    EXPECT_TRUE(is_own_process(request));
    request.peer_uid = geteuid() + 1;
    EXPECT_FALSE(is_own_process(request));
    request.peer_uid = geteuid();
    request.listener = ListenerKind::both;
    EXPECT_FALSE(is_own_process(request));
}

}  // namespace
}  // namespace brickgate::testing
