/* SPDX-License-Identifier: ISC */
#include "tests/types.h"
#include "store/util.h"
#include "structures/counter.h"
#include "structures/entries.h"
#include "structures/token_merge.h"

#include <stdio.h>
#include <stdlib.h>

/* Laws of the merges, over random histories of several branches that merge back
 * and forth: every version knows its ancestors, bases are found and merged as
 * Git's recursive merge does, and what must come out is computed from the
 * ancestors alone. */

#define BRANCHES 4
#define STEPS 48
#define HISTORIES 400
#define VERSIONS (STEPS + 1)

static uint64_t state;

static unsigned int below(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 33) % n;
}

/* A set of versions. */
typedef uint64_t ancestry;
_Static_assert(VERSIONS <= 64, "an ancestry has 64 bits");

struct version {
	char *text;
	ancestry ancestors;		/* itself among them */
	int delta;			/* of a counter, by this version */
	uint64_t removed;		/* entries, by this version */
};

struct history {
	const struct merge_type *type;
	struct version versions[VERSIONS];
	size_t count;
	size_t heads[BRANCHES];
	int added_by[64];		/* version of each entry */
	size_t entries;
};

static void history_release(struct history *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->versions[i].text);
}

/* Merges, and checks what holds for every merge. */
static char *merge(const struct merge_type *type, const char *base,
		   const char *ours, const char *theirs)
{
	struct merge_output output, other;

	assert_int_equal(merge_texts(type, base, theirs, ours, &other), 0);
	assert_int_equal(merge_texts(type, base, ours, theirs, &output), 0);
	assert_int_equal(output.size, other.size);
	assert_memory_equal(output.data, other.data, output.size);
	merge_output_release(&other);
	return strndup(output.data, output.size);
}

/* ---- bases ---- */

static ancestry best_of(const struct history *h, ancestry common)
{
	ancestry best = common;

	for (size_t i = 0; i < h->count; i++)
		if (common >> i & 1)
			best &= ~(h->versions[i].ancestors &
				  ~((ancestry)1 << i));
	return best;
}

static char *base_text(const struct history *h, ancestry a, ancestry b)
{
	ancestry best = best_of(h, a & b), done = 0;
	char *text = NULL;

	for (size_t i = 0; i < h->count; i++) {
		const struct version *v = &h->versions[i];
		char *base, *merged;

		if (!(best >> i & 1))
			continue;
		if (!text) {
			text = strdup(v->text);
			done = v->ancestors;
			continue;
		}
		base = base_text(h, done, v->ancestors);
		merged = merge(h->type, base, text, v->text);
		free(base);
		free(text);
		text = merged;
		done |= v->ancestors;
	}
	return text;
}

/* ---- making a history ---- */

static struct version *add_version(struct history *h, size_t branch, char *text,
				   ancestry ancestors)
{
	struct version *v = &h->versions[h->count];

	*v = (struct version){ .text = text };
	v->ancestors = ancestors | (ancestry)1 << h->count;
	h->heads[branch] = h->count++;
	return v;
}

static void merge_branches(struct history *h, size_t into, size_t from)
{
	const struct version *o = &h->versions[h->heads[into]];
	const struct version *t = &h->versions[h->heads[from]];
	char *base;

	if (o->ancestors == (o->ancestors | t->ancestors))
		return;
	if (t->ancestors == (o->ancestors | t->ancestors)) {
		h->heads[into] = h->heads[from];
		return;
	}
	base = base_text(h, o->ancestors, t->ancestors);
	add_version(h, into, merge(h->type, base, o->text, t->text),
		    o->ancestors | t->ancestors);
	free(base);
}

typedef void change_function(struct history *h, size_t branch);

static void make_history(struct history *h, const struct merge_type *type,
			 const char *start, change_function *change)
{
	*h = (struct history){ .type = type };
	for (size_t i = 0; i < BRANCHES; i++)
		h->heads[i] = 0;
	add_version(h, 0, strdup(start), 0);
	for (int i = 0; i < STEPS; i++) {
		size_t branch = below(BRANCHES), other = below(BRANCHES);

		if (below(5) < 3)
			change(h, branch);
		else if (branch != other)
			merge_branches(h, branch, other);
	}
}

/* ---- counters ---- */

static void count(struct history *h, size_t branch)
{
	const struct version *v = &h->versions[h->heads[branch]];
	int delta = (int)below(5) - 2;
	char *text;

	assert_true(asprintf(&text, "%d\n", atoi(v->text) + delta) > 0);
	add_version(h, branch, text, v->ancestors)->delta = delta;
}

static void a_counter_is_the_sum_of_all_steps_before(void **unused)
{
	for (int n = 0; n < HISTORIES; n++) {
		struct history h;

		make_history(&h, &counter_merge_type, "0\n", count);
		for (size_t i = 0; i < h.count; i++) {
			int sum = 0;

			for (size_t j = 0; j < h.count; j++)
				if (h.versions[i].ancestors >> j & 1)
					sum += h.versions[j].delta;
			assert_int_equal(atoi(h.versions[i].text), sum);
		}
		history_release(&h);
	}
}

/* ---- sets and logs ---- */

/* Entry n is the line "eNN-r", with random r, so that order is no help. */
static size_t entry_of(const char *line)
{
	return atoi(strchr(line, 'e') + 1);
}

static char *without_line(const char *text, size_t entry)
{
	char *copy = calloc(1, strlen(text) + 1);

	for (const char *at = text; *at; at = strchr(at, '\n') + 1)
		if (entry_of(at) != entry)
			strncat(copy, at, strchr(at, '\n') + 1 - at);
	return copy;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void edit(struct history *h, size_t branch, bool can_remove)
{
	const struct version *v = &h->versions[h->heads[branch]];
	size_t lines = count_lines(v->text), entry;
	const char *at = v->text;
	char *text;

	if (can_remove && lines && below(3) == 0) {
		for (size_t i = below(lines); i > 0; i--)
			at = strchr(at, '\n') + 1;
		entry = entry_of(at);
		add_version(h, branch, without_line(v->text, entry),
			    v->ancestors)->removed = (uint64_t)1 << entry;
		return;
	}
	assert_true(asprintf(&text, "%s%ue%zu\n", v->text, below(10),
			     h->entries) > 0);
	h->added_by[h->entries++] = h->count;
	add_version(h, branch, text, v->ancestors);
}

static void edit_set(struct history *h, size_t branch)
{
	edit(h, branch, true);
}

static void append_log(struct history *h, size_t branch)
{
	edit(h, branch, false);
}

static void assert_entries(const struct history *h, const struct version *v)
{
	uint64_t live = 0, found = 0;

	for (size_t e = 0; e < h->entries; e++)
		if (v->ancestors >> h->added_by[e] & 1)
			live |= (uint64_t)1 << e;
	for (size_t j = 0; j < h->count; j++)
		if (v->ancestors >> j & 1)
			live &= ~h->versions[j].removed;
	for (const char *at = v->text; *at; at = strchr(at, '\n') + 1) {
		uint64_t bit = (uint64_t)1 << entry_of(at);

		assert_false(found & bit);
		found |= bit;
	}
	assert_int_equal(found, live);
}

static void no_entry_is_lost_doubled_or_revived(void **unused)
{
	static const struct merge_type *const types[] = {
		&set_merge_type, &log_merge_type,
	};

	for (int n = 0; n < HISTORIES; n++) {
		struct history h;

		make_history(&h, types[n % 2], "", edit_set);
		for (size_t i = 0; i < h.count; i++)
			assert_entries(&h, &h.versions[i]);
		history_release(&h);
	}
}

/* Entries that were appended knowing each other keep their order for ever. */
static void assert_order(const struct history *h, const struct version *v)
{
	for (const char *a = v->text; *a; a = strchr(a, '\n') + 1)
		for (const char *b = strchr(a, '\n') + 1; *b;
		     b = strchr(b, '\n') + 1) {
			int first = h->added_by[entry_of(a)];
			int second = h->added_by[entry_of(b)];

			assert_false(h->versions[first].ancestors >> second & 1);
		}
}

static void what_was_appended_later_stands_behind(void **unused)
{
	for (int n = 0; n < HISTORIES; n++) {
		struct history h;

		make_history(&h, &log_merge_type, "", append_log);
		for (size_t i = 0; i < h.count; i++) {
			assert_entries(&h, &h.versions[i]);
			assert_order(&h, &h.versions[i]);
		}
		history_release(&h);
	}
}

/* ---- tokens ---- */

static void random_lines(char *text, size_t lines)
{
	static const char *const words[] = {
		"one", "two", "three", "four", " ", " ", ", ", "(", ")", "\t",
	};

	*text = '\0';
	for (size_t i = 0; i < lines; i++) {
		for (int w = below(9) + 1; w > 0; w--)
			strcat(text, words[below(10)]);
		strcat(text, "\n");
	}
}

static void change_lines(const char *from, char *to)
{
	*to = '\0';
	for (const char *at = from; *at; at = strchr(at, '\n') + 1) {
		size_t length = strchr(at, '\n') + 1 - at;

		switch (below(8)) {
		case 0:
			random_lines(to + strlen(to), 1);
			break;
		case 1:
			break;
		case 2:
			strncat(to, at, length - 1);
			strcat(to, " five\n");
			break;
		case 3:
			random_lines(to + strlen(to), 1);
			/* fall through */
		default:
			strncat(to, at, length);
		}
	}
	if (*to && below(6) == 0)
		to[strlen(to) - 1] = '\0';
}

static void assert_laws(const struct merge_type *type, const char *base,
			const char *ours, const char *theirs)
{
	struct merge_output a, b;
	int r = merge_texts(type, base, ours, theirs, &a);

	assert_true(r >= 0);
	assert_int_equal(merge_texts(type, base, theirs, ours, &b), r);
	if (r == 0) {
		assert_int_equal(a.size, b.size);
		assert_memory_equal(a.data, b.data, a.size);
	}
	merge_output_release(&a);
	merge_output_release(&b);
	assert_clean(type, base, ours, base, ours);
	assert_clean(type, base, ours, ours, ours);
}

static void assert_clean_as_lines(const char *base, const char *ours,
				  const char *theirs)
{
	struct merge_output output;
	char *text;

	if (merge_texts(merge_type_find("text"), base, ours, theirs,
			&output) == 0) {
		text = strndup(output.data, output.size);
		assert_one_way(&token_merge_type, base, ours, theirs, 0, text);
		free(text);
	}
	merge_output_release(&output);
}

static void token_merges_are_symmetric(void **unused)
{
	char base[2000], ours[2000], theirs[2000];
	struct merge_output output;
	int settled = 0;

	for (int i = 0; i < 20000; i++) {
		random_lines(base, below(9));
		change_lines(base, ours);
		change_lines(base, theirs);
		assert_laws(&token_merge_type, base, ours, theirs);
		assert_laws(&token_suggest_type, base, ours, theirs);
		assert_clean_as_lines(base, ours, theirs);
		settled += merge_texts(&token_merge_type, base, ours, theirs,
				       &output) == 0 && output.note;
		merge_output_release(&output);
	}
	assert_true(settled > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_is_the_sum_of_all_steps_before),
		cmocka_unit_test(no_entry_is_lost_doubled_or_revived),
		cmocka_unit_test(what_was_appended_later_stands_behind),
		cmocka_unit_test(token_merges_are_symmetric),
	};
	const char *seed = getenv("MODEL_SEED");

	state = seed ? strtoull(seed, NULL, 10) | 1 : 88172645463325252;
	return cmocka_run_group_tests_name("merge_types", tests, NULL, NULL);
}
