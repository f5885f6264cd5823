// How long a response is and how much it repeats itself, from its words alone.
//
//   rep-n     = 100 (1 - different n-grams / n-grams)          in percent
//   diversity = product over n = 2, 3, 4 of (1 - rep-n / 100)  from 0 to 1, larger is better
//
// Source: Su et al., "A Contrastive Framework for Neural Text Generation" (arXiv:2202.06417),
// section 4.2 (1); rep-n goes back to Welleck et al. (arXiv:1908.04319), section 6; ARGS
// (arXiv:2402.01694) and Transfer Q* (arXiv:2405.20495) report this diversity.
//
// The formula is followed to the letter, over a response's own n-grams; results are averaged over
// responses afterwards. Published programs depart from it, so their figures are not to be compared
// with these to the last digit: SimCTG's pools the counts of all responses, leaves out each
// response's last n-gram and rounds rep-n to 0.01; ARGS's cuts words with NLTK's word_tokenize and
// divides by one more than there are n-grams, so that short responses seem to repeat themselves.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tq {

// A response of fewer than n words has no n-gram, and no rep-n. Diversity is a product of all
// three, so a response of fewer than four words has none: it is left out of averages, and not
// counted as diverse or as not.
struct TextMetrics {
  std::size_t words = 0;
  std::optional<double> rep_2, rep_3, rep_4;  // in percent
  std::optional<double> diversity;
};

// Words are what lies between white space, as Unicode defines it and Python's str.split() has it;
// case and punctuation count. Bytes that are not UTF-8 belong to the word they stand in. Pure.
TextMetrics text_metrics(std::string_view response);

}  // namespace tq
