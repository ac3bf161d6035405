// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.h"

#include <gtest/gtest.h>

#include "support/data_file.h"
#include "support/seeded_random.h"

namespace brickgate::testing {
namespace {

struct Pair {
    std::string plain;
    std::string encoded;
};

std::string all_bytes() {
    std::string out;
    for (int i = 0; i < 256; ++i) {
        out += static_cast<char>(i);
    }
    return out;
}

TEST(Base64, published_vectors_of_RFC_4648_section_10) {
    for (auto const& [plain, encoded] : std::vector<Pair>{{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(base64_encode(plain), encoded);
        EXPECT_EQ(base64_decode(encoded), plain);
        auto const bare = encoded.substr(0, encoded.find('='));
        EXPECT_EQ(base64url_encode(plain), bare);
        EXPECT_EQ(base64url_decode(bare), plain);
    }
    EXPECT_EQ(base64url_encode("\xFB\xFF\xFE"), "-__-");
    EXPECT_EQ(base64_encode("\xFB\xFF\xFE"), "+//+");
}

TEST(Base64, what_an_encoder_would_not_write_is_refused) {
    for (auto const* const text :
         {"Zg==", "Zg=", "Z", "Zm9vY", "Zh", "Zm9=", "Zm 9v", "Zm9v\n", " Zm9v", "Zm9v+", "Zm9/",
          "Zm9v.", "Zm9v\xC3\xA4", "=", "===="}) {
        EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
    }
    for (auto const* const text :
         {"Zg", "Zg=", "Zh==", "Zm9", "Zm9v====", "Zm_v", "Zm-v", "=Zm9", "Zm9v\n", "Z=g="}) {
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    }
    EXPECT_EQ(base64url_decode(std::string("Zm9v\0", 5)), std::nullopt);
}

TEST(Hex, round_trip_and_strictness) {
    EXPECT_EQ(hex_encode(std::string("\x00\x7F\xFF", 3)), "007fff");
    EXPECT_EQ(hex_decode("007FfF"), std::string("\x00\x7F\xFF", 3));
    for (auto const* const text : {"0", "0g", "g0", "0x", " 00", "00 ", "-1"}) {
        EXPECT_EQ(hex_decode(text), std::nullopt) << text;
    }
}

TEST(PercentEncoding, keeps_the_unreserved_characters_only) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a b/c?d=e&f+g%\xC3\xA4"), "a%20b%2Fc%3Fd%3De%26f%2Bg%25%C3%A4");
    EXPECT_EQ(percent_decode("a+b%20%C3%a4"), "a+b \xC3\xA4");
    for (auto const* const text : {"%", "a%", "%4", "%zz", "%4g", "%%41", "% 1", "%-1"}) {
        EXPECT_EQ(percent_decode(text), std::nullopt) << text;
        EXPECT_EQ(form_decode(text), std::nullopt) << text;
    }
}

TEST(FormEncoding, example_of_RFC_6749_appendix_B) {
    EXPECT_EQ(form_encode(" %&+\xC2\xA3\xE2\x82\xAC"), "+%25%26%2B%C2%A3%E2%82%AC");
    EXPECT_EQ(form_encode(FormFields{{"a b", "1&2"}, {"c", ""}}), "a+b=1%262&c=");
    FormFields const expected{{"a b", "1&2"}, {"c", ""}, {"d", ""}, {"e", "=x"}, {"a b", "3"}};
    EXPECT_EQ(form_decode("a+b=1%262&&c=&d&e==x&a%20b=3&"), expected);
    EXPECT_EQ(form_decode(""), FormFields());
}

TEST(Encodings, every_byte_survives_every_round_trip) {
    SeededRandom random(7);
    for (std::size_t size = 0; size < 200; ++size) {
        auto const bytes = size < 100 ? random.bytes(size) : all_bytes().substr(0, size);
        EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
        EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
        EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
        EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
        FormFields const fields{{bytes, bytes}};
        if (!bytes.empty()) {
            EXPECT_EQ(form_decode(form_encode(fields)), fields);
        }
    }
}

TEST(Sha256, published_vectors) {
    EXPECT_EQ(hex_encode(sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex_encode(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Utf8, only_the_shortest_form_of_real_characters_is_valid) {
    for (auto const* const good : {"", "a", "c3a4", "e282ac", "f09f9880", "f48fbfbf", "ed9fbf",
                                   "ee8080", "efbfbd", "dfbf", "e0a080", "f0908080"}) {
        auto const bytes = std::string_view(good) == "a" ? "a" : hex_decode(good).value();
        EXPECT_TRUE(is_valid_utf8(bytes)) << good;
    }
    for (auto const* const bad :
         {"80", "ff", "fe", "c0af", "c1bf", "c3", "c328", "e08080", "e09fbf", "e282", "e28228",
          "eda080", "edbfbf", "f0808080", "f08fbfbf", "f4908080", "f5808080", "f09f98", "61ff"}) {
        EXPECT_FALSE(is_valid_utf8(hex_decode(bad).value())) << bad;
    }
}

bool is_control_or_bidi(std::string_view text) {
    for (char const c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            return true;
        }
    }
    // C1 controls, U+2028, U+2029, U+202A to U+202E, U+2066 to U+2069, U+200B to U+200F, U+FEFF.
    for (auto const* const hidden : {"\xC2\x85", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                     "\xE2\x80\xAE", "\xE2\x80\xAA", "\xE2\x81\xA6", "\xE2\x81\xA9",
                                     "\xE2\x80\x8B", "\xE2\x80\x8F", "\xEF\xBB\xBF", "\xD8\x9C"}) {
        if (text.find(hidden) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

TEST(Texts, T24_no_hostile_text_becomes_markup_a_line_or_a_control) {
    for (auto const& row : read_table("hostile_texts.json", 60)) {
        auto const theirs = text_of(row);
        auto const cleaned = clean_text(theirs);
        EXPECT_LE(cleaned.size(), 200U) << theirs;
        EXPECT_TRUE(is_valid_utf8(cleaned)) << theirs;
        EXPECT_FALSE(is_control_or_bidi(cleaned)) << theirs;
        EXPECT_EQ(clean_text(cleaned), cleaned) << theirs;
        auto const shown = html_escape(cleaned);
        EXPECT_EQ(shown.find_first_of("<>\"'/=`"), std::string::npos) << theirs;
        // Every & is the beginning of one of our own escapes.
        for (auto at = shown.find('&'); at != std::string::npos; at = shown.find('&', at + 1)) {
            auto const escape = shown.substr(at, shown.find(';', at) - at);
            EXPECT_TRUE(escape == "&amp" || escape == "&lt" || escape == "&gt" ||
                        escape == "&quot" || escape.starts_with("&#"))
                << shown;
        }
    }
}

TEST(Texts, T24_the_eight_characters_are_escaped_and_the_rest_is_left) {
    EXPECT_EQ(html_escape("&<>\"'/=`"), "&amp;&lt;&gt;&quot;&#39;&#47;&#61;&#96;");
    EXPECT_EQ(html_escape("a&amp;b \xC3\xA4"), "a&amp;amp;b \xC3\xA4");
}

TEST(Texts, cleaning_keeps_what_people_write) {
    EXPECT_EQ(clean_text("\xC3\xA4 \xE6\x97\xA5 \xF0\x9F\x98\x80 it's <b>"),
              "\xC3\xA4 \xE6\x97\xA5 \xF0\x9F\x98\x80 it's <b>");
    EXPECT_EQ(clean_text("a\r\nb\tc\xFF"
                         "d\x7F"),
              "abcd");
    EXPECT_EQ(clean_text("\xC3\xA4\xC3\xA4", 3), "\xC3\xA4");
    EXPECT_EQ(clean_text("abc", 0), "");
}

}  // namespace
}  // namespace brickgate::testing
