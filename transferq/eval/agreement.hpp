// How well a reward's scores agree with what people said: pure functions over scores, for reports.
#pragma once

#include <cstddef>
#include <span>

namespace tq {

double mean_of(std::span<const double> values);    // 0 of nothing
double spread_of(std::span<const double> values);  // sample standard deviation; 0 of fewer than two

// Labels are 0 or 1. In the following two, scores and labels are equally many.

// The chance that a text of label 1 scores above one of label 0, ties counting half (Mann-Whitney).
// NaN where one of the labels is missing.
double area_under_curve(std::span<const double> scores, std::span<const double> labels);

// The expected calibration error of sigmoid(score) as a probability of label 1: over `bins` equal
// bins of it, the mean of |mean probability - share of label 1|, each bin weighted by how many fall
// into it. NaN of nothing.
double calibration_error(std::span<const double> scores, std::span<const double> labels,
                         std::size_t bins = 10);

}  // namespace tq
