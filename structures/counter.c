/* SPDX-License-Identifier: ISC */
#include "structures/counter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct counter {
	int64_t value;
	bool newline;
};

/* Digits of a number that does not begin with 0, unless it is 0. */
static bool is_number(const char *text, size_t size)
{
	if (!size || (text[0] == '0' && size > 1))
		return false;
	for (size_t i = 0; i < size; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

/* Negative numbers reach further, so all are built from below. */
static bool read_value(const char *text, size_t size, bool negative,
		       int64_t *ret)
{
	int64_t value = 0;

	for (size_t i = 0; i < size; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, text[i] - '0', &value))
			return false;
	if (!negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*ret = value;
	return true;
}

static bool parse(const struct merge_side *side, struct counter *ret)
{
	const char *text = side->data;
	size_t size = side->size;
	bool negative;

	*ret = (struct counter){ 0 };
	if (!text)
		return true;
	ret->newline = size && text[size - 1] == '\n';
	size -= ret->newline;
	negative = size && *text == '-';
	text += negative;
	size -= negative;
	return is_number(text, size) && !(negative && *text == '0') &&
	       read_value(text, size, negative, &ret->value);
}

/* Through 128 bits: the sum may fit where a part of it does not. */
static bool add(const struct counter *base, const struct counter *ours,
		const struct counter *theirs, int64_t *ret)
{
	__int128 sum = (__int128)ours->value + theirs->value - base->value;

	*ret = (int64_t)sum;
	return *ret == sum;
}

static int print(int64_t value, bool newline, struct merge_output *ret)
{
	char *text;
	int n = asprintf(&text, "%" PRId64 "%s", value, newline ? "\n" : "");

	if (n < 0)
		return -ENOMEM;
	*ret = (struct merge_output){ .data = text, .size = n };
	return 0;
}

/* What is no counter on some side, or leaves the range, is in conflict. */
static int merge(const struct merge_input *input, struct merge_output *ret)
{
	struct merge_side before = input->base;
	struct counter base, ours, theirs;
	bool newline;
	int64_t value;

	/* where there is none plain Git gives an empty file */
	if (!before.size)
		before.data = NULL;
	if (!input->ours.data || !input->theirs.data ||
	    !parse(&before, &base) || !parse(&input->ours, &ours) ||
	    !parse(&input->theirs, &theirs) ||
	    !add(&base, &ours, &theirs, &value))
		return merge_type_find("binary")->merge(input, ret);
	newline = ours.newline == base.newline ? theirs.newline : ours.newline;
	return print(value, newline, ret);
}

const struct merge_type counter_merge_type = {
	.name = "counter", .merge = merge, .wants_equal = true,
};
