// SPDX-License-Identifier: Apache-2.0
#include "vault/passphrase_root.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <sstream>

#include "base/encoding.h"
#include "vault/key_arena.h"
#include "vault/root_key.h"

namespace brickgate {

namespace {

constexpr std::string_view algorithm = "argon2id13";
constexpr PassphraseCost most{64, std::size_t{4} * 1024 * 1024 * 1024};  // a changed file must not
                                                                         // take the machine down

struct Recipe {
    PassphraseCost cost;
    std::string salt;
};

std::unexpected<Error> bad(std::filesystem::path const& file, std::string_view why) {
    return fail(ErrorCode::root_key_invalid,
                "The passphrase's file " + file.string() + " " + std::string(why));
}

std::optional<Recipe> parse(std::string const& text) {
    std::istringstream in(text);
    std::string name;
    std::string salt;
    Recipe recipe;
    in >> name >> recipe.cost.passes >> recipe.cost.memory_bytes >> salt;
    auto bytes = base64_decode(salt);
    bool const sane =
        in && name == algorithm && bytes && bytes->size() == crypto_pwhash_argon2id_SALTBYTES &&
        recipe.cost.passes <= most.passes && recipe.cost.memory_bytes <= most.memory_bytes;
    if (!sane) {
        return std::nullopt;
    }
    recipe.salt = std::move(*bytes);
    return recipe;
}

bool write_recipe(std::filesystem::path const& file, Recipe const& recipe) {
    std::string const line = std::string(algorithm) + " " + std::to_string(recipe.cost.passes) +
                             " " + std::to_string(recipe.cost.memory_bytes) + " " +
                             base64_encode(recipe.salt) + "\n";
    int const fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool const written =
        write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && fsync(fd) == 0;
    close(fd);
    return written;
}

Result<Recipe> recipe_of(std::filesystem::path const& file, Random& random, PassphraseCost cost) {
    auto const text = read_private_file(file, "The passphrase's file");
    if (!text) {
        return fail(text.error());
    }
    if (*text) {
        auto recipe =
            (*text)->expose([](std::string_view bytes) { return parse(std::string(bytes)); });
        return recipe ? Result<Recipe>(std::move(*recipe))
                      : bad(file, "does not say how the root key is derived.");
    }
    Recipe recipe{cost, random.bytes(crypto_pwhash_argon2id_SALTBYTES)};
    if (!write_recipe(file, recipe)) {
        return bad(file, "cannot be made.");
    }
    return recipe;
}

}  // namespace

Result<Secret> root_from_passphrase(std::filesystem::path const& file, Secret const& passphrase,
                                    Random& random, PassphraseCost cost) {
    if (passphrase.size() < passphrase_characters_min) {
        return fail(ErrorCode::root_key_invalid, "The passphrase is shorter than 12 characters.");
    }
    auto const recipe = recipe_of(file, random, cost);
    if (!recipe) {
        return fail(recipe.error());
    }
    Secret key = Secret::zeros(KeyArena::key_bytes);
    int const failed = passphrase.expose([&](std::string_view words) {
        return key.write([&](std::span<char> out) {
            return crypto_pwhash_argon2id(
                reinterpret_cast<unsigned char*>(out.data()), out.size(), words.data(),
                words.size(), reinterpret_cast<unsigned char const*>(recipe->salt.data()),
                recipe->cost.passes, recipe->cost.memory_bytes,
                crypto_pwhash_argon2id_ALG_ARGON2ID13);
        });
    });
    if (failed != 0) {
        return fail(ErrorCode::root_key_invalid,
                    "There is not enough memory to derive the root key from the passphrase.");
    }
    return key;
}

}  // namespace brickgate
