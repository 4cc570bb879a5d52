// libbertc for C++20: models and sessions that close themselves, texts as std::string_view, numbers as std::span, errors as
// exceptions. bertc.h says what each call does; what is not here is called through get().
#ifndef BERTC_HPP
#define BERTC_HPP

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bertc.h"

namespace bertc {

// What bertc_error says.
class error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

namespace detail {
inline void must(bool ok, const bertc_error &e) {
    if (!ok) throw error(e.message);
}
inline bertc_text text_of(std::string_view text) {
    bertc_text t{};
    t.text = text.data() ? text.data() : "";
    t.size = text.size();
    return t;
}
} // namespace detail

// Options of sessions and of texts, all unset.
inline bertc_session_options session_options() {
    return BERTC_SESSION_OPTIONS_INIT;
}
inline bertc_text_options text_options() {
    return BERTC_TEXT_OPTIONS_INIT;
}

// A text, and where it has one its pair (the context of a question, a document of a query).
inline bertc_text pair(std::string_view text, std::string_view other) {
    bertc_text t = detail::text_of(text);
    t.pair = other.data() ? other.data() : "";
    t.pair_size = other.size();
    return t;
}

// An artefact. Copies share it; it is unloaded with the last of them and of its sessions.
class model {
  public:
    explicit model(const std::string &path) {
        bertc_error e{};
        shared_.reset(bertc_load(path.c_str(), &e), bertc_unload);
        detail::must(shared_ != nullptr, e);
    }
    bertc_model *get() const noexcept { return shared_.get(); }
    bertc_model_info info() const {
        bertc_model_info i = BERTC_MODEL_INFO_INIT;
        bertc_error e{};
        detail::must(bertc_model_describe(get(), &i, &e), e);
        return i;
    }
    // The label's name; empty: there is none.
    std::string_view label(int index) const {
        const char *name = bertc_label(get(), index);
        return name ? name : std::string_view{};
    }

  private:
    std::shared_ptr<bertc_model> shared_;
};

// [rows, width], row-major.
class matrix {
  public:
    matrix(std::size_t rows, std::size_t width) : rows_(rows), width_(width), data_(rows * width) {}
    std::size_t rows() const noexcept { return rows_; }
    std::size_t width() const noexcept { return width_; }
    std::span<float> data() noexcept { return data_; }
    std::span<const float> data() const noexcept { return data_; }
    std::span<const float> operator[](std::size_t row) const {
        return std::span<const float>(data_).subspan(row * width_, width_);
    }

  private:
    std::size_t rows_, width_;
    std::vector<float> data_;
};

// Lists of a result. They live in the session until its next call.
inline std::span<const bertc_score> scores(const bertc_result &r) {
    return {r.scores, static_cast<std::size_t>(r.score_count)};
}
inline std::span<const bertc_entity> entities(const bertc_result &r) {
    return {r.entities, static_cast<std::size_t>(r.entity_count)};
}
inline std::span<const bertc_answer> answers(const bertc_result &r) {
    return {r.answers, static_cast<std::size_t>(r.answer_count)};
}
inline std::span<const bertc_mask> masks(const bertc_result &r) {
    return {r.masks, static_cast<std::size_t>(r.mask_count)};
}
inline std::span<const float> embedding(const bertc_result &r) {
    return {r.embedding, static_cast<std::size_t>(r.embedding_size)};
}

// Serves one call at a time; open one for each thread that calls.
class session {
  public:
    explicit session(model m, const bertc_session_options &options = session_options())
        : model_(std::move(m)) {
        bertc_error e{};
        shared_.reset(bertc_open(model_.get(), &options, &e));
        detail::must(shared_ != nullptr, e);
    }
    bertc_session *get() const noexcept { return shared_.get(); }

    // One result for each text; they live until the session's next call.
    std::span<const bertc_result> answer(std::span<const bertc_text> texts,
                                         const bertc_text_options &options = text_options()) {
        bertc_error e{};
        results_.assign(texts.size(), BERTC_INIT(bertc_result));
        detail::must(bertc_answer_texts(get(), texts.data(), texts.size(), &options, results_.data(), &e), e);
        return results_;
    }
    const bertc_result &answer(std::string_view text, const bertc_text_options &options = text_options()) {
        const bertc_text one = detail::text_of(text);
        return answer(std::span(&one, 1), options)[0];
    }
    // Embeddings as rows of their own.
    matrix embed(std::span<const std::string_view> texts,
                 const bertc_text_options &options = text_options()) {
        bertc_error e{};
        std::vector<bertc_text> all;
        for (std::string_view t : texts) all.push_back(detail::text_of(t));
        const int width = options.dimensions ? options.dimensions : model_.info().embedding_size;
        if (width < 0) throw error("dimensions is negative");
        matrix out(texts.size(), static_cast<std::size_t>(width));
        detail::must(bertc_embed_texts(get(), all.data(), all.size(), &options, out.data().data(), width, &e),
                     e);
        return out;
    }

  private:
    struct closer {
        void operator()(bertc_session *s) const noexcept { bertc_close(s); }
    };
    model model_; // outlives the session
    std::unique_ptr<bertc_session, closer> shared_;
    std::vector<bertc_result> results_;
};

} // namespace bertc

#endif
