// Says what a compiled classifier makes of a text:  classify sentiment.so "This movie was amazing!"
// c++ -std=c++20 classify.cpp $(pkg-config --cflags --libs bertc) -o classify
#include <bertc.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
    if (argc != 3) return std::fprintf(stderr, "usage: %s MODEL.so TEXT\n", argv[0]), 2;
    bertc::session session{bertc::model{argv[1]}};
    for (const bertc_score &s : bertc::scores(session.answer(argv[2])))
        std::printf("%s %.4f\n", s.label, static_cast<double>(s.score));
} catch (const bertc::error &e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
}
