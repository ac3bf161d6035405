// SPDX-License-Identifier: Apache-2.0
// T33 against a TLS server of our own, with certificates made here.
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>

#include "net/curl_client.h"
#include "net/system_ports.h"
#include "support/loopback.h"
#include "support/run_task.h"
#include "unit/net/fake_resolver.h"

namespace brickgate {
namespace {

using testing::FakeResolver;
using testing::ScriptedServer;

SystemClock const clock_;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Key make_key() {
    return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

struct Wish {
    std::string common_name = "good.bg.test";
    std::vector<std::string> names = {"good.bg.test"};  // alternative names; may hold a NUL
    long valid_from = -3600;
    long valid_until = 3600;
    bool is_ca = false;
};

void add_names(X509* certificate, std::vector<std::string> const& names) {
    GENERAL_NAMES* all = sk_GENERAL_NAME_new_null();
    for (std::string const& name : names) {
        GENERAL_NAME* one = GENERAL_NAME_new();
        ASN1_IA5STRING* text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        sk_GENERAL_NAME_push(all, one);
    }
    X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT);
    GENERAL_NAMES_free(all);
}

Certificate make_certificate(Wish const& wish, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
    Certificate made(X509_new(), X509_free);
    X509* const it = made.get();
    static long serial = 1;
    X509_set_version(it, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(it), serial++);
    X509_gmtime_adj(X509_getm_notBefore(it), wish.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(it), wish.valid_until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(it), "CN", MBSTRING_ASC,
                               reinterpret_cast<unsigned char const*>(wish.common_name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(it, X509_get_subject_name(issuer != nullptr ? issuer : it));
    X509_set_pubkey(it, key);
    if (!wish.names.empty()) {
        add_names(it, wish.names);
    }
    BASIC_CONSTRAINTS* constraints = BASIC_CONSTRAINTS_new();
    constraints->ca = wish.is_ca ? 0xff : 0;
    X509_add1_ext_i2d(it, NID_basic_constraints, constraints, 1, X509V3_ADD_DEFAULT);
    BASIC_CONSTRAINTS_free(constraints);
    X509_sign(it, issuer_key != nullptr ? issuer_key : key, EVP_sha256());
    return made;
}

// Our own authority, written to a file that the client is told to trust.
class Authority {
 public:
    Authority() {
        file_ =
            std::filesystem::temp_directory_path() / ("bg-ca-" + std::to_string(getpid()) + ".pem");
        FILE* out = fopen(file_.c_str(), "w");
        PEM_write_X509(out, certificate_.get());
        fclose(out);
    }
    ~Authority() { std::filesystem::remove(file_); }
    std::string file() const { return file_; }
    Certificate issue(Wish const& wish, EVP_PKEY* key) const {
        return make_certificate(wish, key, certificate_.get(), key_.get());
    }

 private:
    Key key_ = make_key();
    Certificate certificate_ =
        make_certificate({.common_name = "Test authority", .names = {}, .is_ca = true}, key_.get(),
                         nullptr, nullptr);
    std::filesystem::path file_;
};

class TlsServer {
 public:
    TlsServer(Certificate certificate, Key key, int version_max = TLS1_3_VERSION)
        : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
        SSL_CTX_set_security_level(context_.get(), 0);
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context_.get(), version_max);
        SSL_CTX_use_certificate(context_.get(), certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), key.get());
    }
    std::string url() const {
        return "https://good.bg.test:" + std::to_string(server_.port()) + "/";
    }
    std::uint16_t port() const { return server_.port(); }
    int http_bytes() const { return http_bytes_.load(); }
    int connections() const { return server_.connections(); }

 private:
    void serve(int fd) {
        std::unique_ptr<SSL, decltype(&SSL_free)> const tls(SSL_new(context_.get()), SSL_free);
        SSL_set_fd(tls.get(), fd);
        if (SSL_accept(tls.get()) != 1) {
            return;
        }
        char buffer[4096];
        int const got = SSL_read(tls.get(), buffer, sizeof buffer);
        if (got > 0) {
            http_bytes_ += got;
            std::string const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
            SSL_shutdown(tls.get());
        }
    }
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::atomic<int> http_bytes_{0};
    ScriptedServer server_{[this](int fd, int) { serve(fd); }};
};

class CurlTls : public ::testing::Test {
 protected:
    CurlTls() { names_.answer("good.bg.test", {{"127.0.0.1"}}); }

    HttpAnswer call(std::string url, bool trusted = true) {
        CurlOptions options;
        options.ca_file = trusted ? authority_.file() : "";
        auto const client = CurlClient::create(std::move(options), clock_).value();
        HttpRequest request;
        request.method = "POST";
        request.url = std::move(url);
        request.body = Secret::copy_of("refresh_token=secret");
        HttpLimits limits;
        limits.fresh_connection = true;
        limits.egress.operator_listed = true;
        return testing::run_task(client->send(std::move(request), std::move(limits)));
    }
    void expect_refused(Wish const& wish, char const* why) {
        SCOPED_TRACE(why);
        Key key = make_key();
        Certificate certificate = authority_.issue(wish, key.get());
        TlsServer server(std::move(certificate), std::move(key));
        expect_nothing_sent(call(server.url()), server);
    }
    static void expect_nothing_sent(HttpAnswer const& answer, TlsServer const& server) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().error.code(), ErrorCode::tls_failed)
            << answer.error().error.detail();
        EXPECT_EQ(answer.error().sent, Sent::not_sent);
        EXPECT_EQ(server.connections(), 1);
        EXPECT_EQ(server.http_bytes(), 0);
    }

    FakeResolver names_;
    Authority authority_;
};

TEST_F(CurlTls, T33_a_good_certificate_of_the_added_authority_is_accepted) {
    Key key = make_key();
    Certificate certificate = authority_.issue({}, key.get());
    TlsServer server(std::move(certificate), std::move(key));
    for (int i = 0; i < 2; ++i) {
        auto const answer = call(server.url());
        ASSERT_TRUE(answer) << answer.error().error.message() << answer.error().error.detail();
        EXPECT_EQ(answer->status, 200);
    }
    EXPECT_GT(server.http_bytes(), 0);
}

TEST_F(CurlTls, T33_an_authority_that_was_not_added_is_not_trusted) {
    Key key = make_key();
    Certificate certificate = authority_.issue({}, key.get());
    TlsServer server(std::move(certificate), std::move(key));
    expect_nothing_sent(call(server.url(), false), server);
}

TEST_F(CurlTls, T33_a_self_signed_certificate_is_refused) {
    Key key = make_key();
    Certificate certificate = make_certificate({}, key.get(), nullptr, nullptr);
    TlsServer server(std::move(certificate), std::move(key));
    expect_nothing_sent(call(server.url()), server);
}

TEST_F(CurlTls, T33_wrong_names_and_wrong_times_are_refused) {
    using namespace std::string_literals;
    expect_refused({.names = {"other.bg.test"}}, "another name");
    expect_refused({.names = {"evil-good.bg.test"}}, "a longer name");
    expect_refused({.names = {"*.test"}}, "a wildcard of another level");
    expect_refused({.names = {"g*.bg.test"}}, "a partial wildcard");
    expect_refused({.names = {}}, "the name in the common name only");
    expect_refused({.names = {"good.bg.test\0.evil.test"s}}, "a NUL in the name");
    expect_refused({.names = {"good.bg.test\0"s}}, "a NUL at the end of the name");
    expect_refused({.valid_from = -7200, .valid_until = -3600}, "expired");
    expect_refused({.valid_from = 3600, .valid_until = 7200}, "not yet valid");
}

TEST_F(CurlTls, T33_an_address_needs_an_address_in_the_certificate) {
    Key key = make_key();
    Certificate certificate =
        authority_.issue({.common_name = "127.0.0.1", .names = {"127.0.0.1"}}, key.get());
    TlsServer server(std::move(certificate), std::move(key));
    expect_nothing_sent(call("https://127.0.0.1:" + std::to_string(server.port())), server);
}

TEST_F(CurlTls, T33_old_versions_are_refused_and_1_2_is_not) {
    for (int const version : {TLS1_VERSION, TLS1_1_VERSION}) {
        Key key = make_key();
        Certificate certificate = authority_.issue({}, key.get());
        TlsServer server(std::move(certificate), std::move(key), version);
        expect_nothing_sent(call(server.url()), server);
    }
    Key key = make_key();
    Certificate certificate = authority_.issue({}, key.get());
    TlsServer server(std::move(certificate), std::move(key), TLS1_2_VERSION);
    EXPECT_TRUE(call(server.url()));
}

}  // namespace
}  // namespace brickgate
