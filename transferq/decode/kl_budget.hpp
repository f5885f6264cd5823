// The dial: a response's KL to the reference is given, and alpha is found step by step.
//
// A step's law is the proposal tilted by the values, pi_alpha(z) ∝ pi_prop(z) exp(Q(z) / alpha),
// and its KL to the reference is summed over its candidates. With eta = 1 / alpha,
//   d/d eta KL(pi_alpha || pi_ref) = eta Var(Q) + Cov(Q, log pi_prop / pi_ref)   under pi_alpha,
// since log pi_alpha = log pi_prop + eta Q - log Z(eta) and d pi_alpha / d eta = pi_alpha (Q - E
// Q). Where proposal and reference are one, up to a constant, the second term is 0: KL grows with
// eta, and there is one alpha for each KL (an exponential family; Wainwright and Jordan, 2008,
// section 3.1). Elsewhere it may fall first; the search keeps to alphas whose KL it has computed,
// so what it returns is within the budget all the same.
//
// Pure functions and a plain value.
#pragma once

#include <cstddef>
#include <span>

namespace tq {

// An alpha at which the step's KL to the reference is at most `nats`, as small a one as the search
// finds. Infinity, the proposal itself, where already that exceeds them or where all values are
// equal; at least a millionth of the spread of the values, where the best candidate takes all.
double alpha_within(std::span<const double> log_probabilities, std::span<const double> values,
                    std::span<const double> reference_log_probabilities, double nats);

// What is left of a response's budget. A step may spend what is left divided by the tokens that may
// still come, times those it makes; what it does not spend goes to the steps behind it. If no step
// spends more than its share, the whole is at most the budget.
class KlBudget {
 public:
  explicit KlBudget(double nats) : left_(nats) {}
  // The share of a step of up to `tokens` tokens where up to `room` may still come (those
  // included).
  double share(std::size_t tokens, std::size_t room) const;
  void spend(double nats) { left_ -= nats; }

 private:
  double left_;
};

}  // namespace tq
