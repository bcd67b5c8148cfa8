/* SPDX-License-Identifier: ISC */
#include "structures/token_merge.h"
#include "structures/token_hunk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What decides was measured on merges that people made, of the 13 projects of
 * tests/bench/bench_merge and of 46 others. */

static const struct token_policy merging = {
	.contained_words = 2,
	.line_similar = 50,
	.apart_gap = 2, .apart_kept = 60, .apart_words = 8,
};

static const struct token_policy suggesting = {
	.contained_words = 2,
	.line_similar = 40,
	.apart_gap = 2, .apart_kept = 50, .apart_words = 8,
	.near_gap = 3, .near_kept = 50, .near_words = 12,
	.sorted_context = 5, .sorted_similar = 70,
	.replaced_others = 60, .replaced_similar = 35, .replaced_words = 20,
	.rewrite_others = 50, .rewrite_kept = 10, .rewrite_changed = 15,
	.delete_changed = 40,
};

/* The first that has an answer gives it. */
static const struct token_rule *const rules[] = {
	&token_rule_contained, &token_rule_lines, &token_rule_words,
	&token_rule_removed, &token_rule_sorted, &token_rule_replaced,
	&token_rule_rewrite, &token_rule_delete,
};

#define NOTED_MOST 20		/* settled conflicts that a note lists */

struct merging {
	const struct merge_input *input;
	const struct token_policy *policy;
	struct line_hunks hunks;
	struct buffer text;		/* merged so far */
	struct buffer note;
	size_t settled;
	size_t lines, counted;		/* newlines in text[0, counted) */
};

static void merging_release(struct merging *m)
{
	line_hunks_release(&m->hunks);
	buffer_release(&m->text);
	buffer_release(&m->note);
}

/* ---- one conflict ---- */

static int try_rules(struct merging *m, const struct token_hunk *hunk,
		     const char **ret_name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		size_t before = m->text.length;
		int r = rules[i]->apply(hunk, m->policy, &m->text);

		if (r == 1)
			*ret_name = rules[i]->name;
		if (r)
			return r;
		m->text.length = before;
	}
	return 0;
}

static size_t line_of_end(struct merging *m)
{
	for (; m->counted < m->text.length; m->counted++)
		m->lines += m->text.data[m->counted] == '\n';
	return m->lines + 1;
}

static int note(struct merging *m, size_t line, const char *name)
{
	if (m->settled++ >= NOTED_MOST)
		return 0;
	return buffer_printf(&m->note, "%s line %zu (%s)",
			     m->settled > 1 ? "," : "", line, name);
}

static bool ends_with_newline(const struct merge_side *side)
{
	const char *text = side->data;

	return !side->size || text[side->size - 1] == '\n';
}

/* A newline at the end that a side added stays.  Otherwise one side taken as it is
 * ends as that does, and the merge of two in a newline, if one of them does. */
static void fit_end(struct merging *m, const struct line_hunk *h, size_t start)
{
	struct line_span text = { m->text.data + start, m->text.length - start };
	bool ours = ends_with_newline(&m->input->ours);
	bool theirs = ends_with_newline(&m->input->theirs);
	bool newline = ours || theirs;

	if (ends_with_newline(&m->input->base) &&
	    !spans_equal(&h->ours, &h->theirs)) {
		if (spans_equal(&text, &h->ours))
			newline = ours;
		else if (spans_equal(&text, &h->theirs))
			newline = theirs;
	}
	if (newline || !text.size || text.data[text.size - 1] != '\n')
		return;
	m->text.length--;
	if (text.size > 1 && text.data[text.size - 2] == '\r')
		m->text.length--;
}

static int settle(struct merging *m, size_t at)
{
	const struct line_hunk *lines = &m->hunks.hunks[at];
	scoped(token_hunk_release) struct token_hunk hunk = { 0 };
	size_t line = line_of_end(m), start = m->text.length;
	const char *name = NULL;
	int r = token_hunk_init(&hunk, lines, &m->hunks.texts[at],
				&m->hunks.texts[at + 1]);

	if (r == 0 && !token_hunk_is_same_text(&hunk))
		r = try_rules(m, &hunk, &name);
	if (r <= 0)
		return r == -E2BIG ? 0 : r;
	if (at + 1 == m->hunks.count && m->hunks.texts[at + 1].size == 0)
		fit_end(m, lines, start);
	r = note(m, line, name);
	return r < 0 ? r : 1;
}

/* ---- what is left in conflict ---- */

static int append_marker(struct merging *m, char mark, const char *label)
{
	int size = m->input->marker_size > 0 ? m->input->marker_size : 7;
	int r = 0;

	while (r == 0 && size-- > 0)
		r = buffer_append(&m->text, &mark, 1);
	if (r == 0 && label)
		r = buffer_printf(&m->text, " %s", label);
	return r < 0 ? r : buffer_append(&m->text, "\n", 1);
}

static int append_conflict(struct merging *m, const struct line_hunk *h)
{
	int r = append_marker(m, '<', m->input->ours.label);

	if (r == 0)
		r = append_span(&m->text, &h->ours);
	if (r == 0)
		r = append_marker(m, '=', NULL);
	if (r == 0)
		r = append_span(&m->text, &h->theirs);
	return r < 0 ? r : append_marker(m, '>', m->input->theirs.label);
}

/* ---- all ---- */

/* Number of conflicts left. */
static int merge_hunks(struct merging *m, size_t *ret_left)
{
	size_t left = 0;
	int r = append_span(&m->text, &m->hunks.texts[0]);

	for (size_t i = 0; r == 0 && i < m->hunks.count; i++) {
		r = settle(m, i);
		if (r == 0) {
			left++;
			r = append_conflict(m, &m->hunks.hunks[i]);
		}
		if (r >= 0)
			r = append_span(&m->text, &m->hunks.texts[i + 1]);
	}
	*ret_left = left;
	return r;
}

static int finish_note(struct merging *m, char **ret)
{
	scoped_buffer struct buffer b = { 0 };
	int r = buffer_printf(&b, "%zu conflict%s settled by words:%s", m->settled,
			      m->settled == 1 ? "" : "s", m->note.data);

	if (r == 0 && m->settled > NOTED_MOST)
		r = buffer_printf(&b, " and %zu more", m->settled - NOTED_MOST);
	if (r == 0)
		*ret = STEAL(b.data);
	return r;
}

/* The line merge, where there is nothing to look at more closely. */
static int merge_text(const struct merge_input *input, struct merge_output *ret)
{
	return merge_type_find("text")->merge(input, ret);
}

static bool is_text(const struct merge_side *side)
{
	return side->data && contents_is_text(side->data, side->size);
}

static int take_text(struct merging *m, struct merge_output *ret)
{
	int r = buffer_reserve(&m->text, 1);

	if (r == 0) {
		ret->size = m->text.length;
		ret->data = STEAL(m->text.data);
	}
	return r;
}

static int merge_conflicts(struct merging *m, struct merge_output *ret)
{
	struct merge_output output = { 0 };
	size_t left = 0;
	int r = merge_hunks(m, &left);

	if (r < 0)
		return r;
	if (!m->settled && left)
		return merge_text(m->input, ret);
	if (!left && m->settled)
		r = finish_note(m, &output.note);
	if (r == 0)
		r = take_text(m, &output);
	if (r < 0) {
		merge_output_release(&output);
		return r;
	}
	*ret = output;
	return left > 0;
}

static int merge(const struct merge_input *input,
		 const struct token_policy *policy, struct merge_output *ret)
{
	scoped(merging_release) struct merging m = { .policy = policy };
	struct merge_input lines = *input;
	int r;

	if (!lines.base.data) {
		lines.base.data = "";
		lines.base.size = 0;
	}
	if (!is_text(&lines.base) || !is_text(&lines.ours) ||
	    !is_text(&lines.theirs))
		return merge_text(input, ret);
	m.input = &lines;
	r = line_hunks_make(&lines, &m.hunks);
	if (r == -E2BIG)
		return merge_text(input, ret);
	return r < 0 ? r : merge_conflicts(&m, ret);
}

static int merge_tokens(const struct merge_input *input,
			struct merge_output *ret)
{
	return merge(input, &merging, ret);
}

static int suggest(const struct merge_input *input, struct merge_output *ret)
{
	return merge(input, &suggesting, ret);
}

const struct merge_type token_merge_type = {
	.name = "token", .merge = merge_tokens, .wants_text = true,
};

const struct merge_type token_suggest_type = {
	.name = "suggestion", .merge = suggest, .wants_text = true,
};
