/* SPDX-License-Identifier: ISC */
#include "structures/token_hunk.h"

#include <errno.h>

/* Rules that look at words. */

/* Comparisons of tokens after which a rule gives up. */
#define STEPS_MOST ((size_t)10 << 20)

static bool is_known(const struct token_hunk *hunk)
{
	return hunk->ours.edits.known && hunk->theirs.edits.known;
}

static bool is_share(size_t part, size_t whole, unsigned int percent)
{
	return part * 100 >= whole * percent;
}

static int append_tokens(struct buffer *b, const struct token_list *list,
			 size_t from, size_t to)
{
	const struct token *last;

	if (from == to)
		return 0;
	last = &list->tokens[to - 1];
	return buffer_append(b, list->tokens[from].text,
			     last->text + last->length - list->tokens[from].text);
}

/* ---- contained ---- */

struct run {
	const struct token_list *list;
	size_t from, to;
};

static bool stands_at(const struct run *small, const struct run *big, size_t at,
		      size_t *steps)
{
	for (size_t i = small->from; i < small->to; i++, at++) {
		++*steps;
		if (small->list->tokens[i].id != big->list->tokens[at].id)
			return false;
	}
	return true;
}

/* Whether big holds small in one piece. */
static bool holds_run(const struct run *big, const struct run *small)
{
	size_t length = small->to - small->from, steps = 0;

	for (size_t at = big->from;
	     at + length <= big->to && steps < STEPS_MOST; at++)
		if (stands_at(small, big, at, &steps))
			return true;
	return false;
}

static bool is_larger(const struct token_hunk *hunk,
		      const struct token_chunk *c, bool ours,
		      unsigned int least_words)
{
	struct run o = { &hunk->ours.tokens, c->o0, c->o1 };
	struct run t = { &hunk->theirs.tokens, c->t0, c->t1 };
	const struct run *big = ours ? &o : &t, *small = ours ? &t : &o;

	return tokens_count_words(small->list, small->from, small->to) >=
		       least_words && holds_run(big, small);
}

/* Whether that side has all changes of the other, and more. */
static bool holds_all(const struct token_hunk *hunk,
		      const struct token_chunks *chunks, bool ours,
		      unsigned int least_words)
{
	enum chunk_kind others = ours ? CHUNK_THEIRS : CHUNK_OURS;

	for (size_t i = 0; i < chunks->count; i++) {
		const struct token_chunk *c = &chunks->chunks[i];

		if (c->kind == others ||
		    (c->kind == CHUNK_CONFLICT &&
		     !is_larger(hunk, c, ours, least_words)))
			return false;
	}
	return true;
}

static bool insert_at_one_place(const struct token_hunk *hunk,
				const void *context,
				const struct token_edit *first,
				const struct token_edit *second)
{
	return first->a1 == second->a0 && first->a0 == first->a1 &&
	       second->a0 == second->a1;
}

static int contained(const struct token_hunk *hunk,
		     const struct token_policy *policy, struct buffer *ret)
{
	scoped(token_chunks_release) struct token_chunks chunks = { 0 };
	bool ours, theirs;
	int r;

	if (!is_known(hunk))
		return 0;
	r = token_chunks_make(hunk, insert_at_one_place, NULL, &chunks);
	if (r < 0)
		return r;
	ours = holds_all(hunk, &chunks, true, policy->contained_words);
	theirs = holds_all(hunk, &chunks, false, policy->contained_words);
	if (ours == theirs)
		return 0;
	r = append_span(ret, ours ? &hunk->ours.text : &hunk->theirs.text);
	return r < 0 ? r : 1;
}

const struct token_rule token_rule_contained = { "contained", contained };

/* ---- words ---- */

struct distance {
	size_t words, lines;
};

static bool is_too_close(const struct token_hunk *hunk, const void *context,
			 const struct token_edit *first,
			 const struct token_edit *second)
{
	const struct distance *least = context;
	const struct token *tokens = hunk->base_tokens.tokens;
	size_t words = 0, blanks = 0, lines = 0;

	for (size_t i = first->a1; i < second->a0; i++) {
		words += tokens[i].kind == TOKEN_WORD;
		blanks += tokens[i].kind == TOKEN_BLANK;
		lines += tokens[i].ends_line;
	}
	return words < least->words || blanks < 1 || lines < least->lines;
}

static int put_together(const struct token_hunk *hunk,
			const struct token_chunks *chunks, struct buffer *ret)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < chunks->count; i++) {
		const struct token_chunk *c = &chunks->chunks[i];

		r = append_tokens(ret, &hunk->base_tokens, at, c->b0);
		if (r < 0)
			return r;
		r = c->kind == CHUNK_THEIRS ?
			append_tokens(ret, &hunk->theirs.tokens, c->t0, c->t1) :
			append_tokens(ret, &hunk->ours.tokens, c->o0, c->o1);
		at = c->b1;
	}
	if (r == 0)
		r = append_tokens(ret, &hunk->base_tokens, at,
				  hunk->base_tokens.count);
	return r < 0 ? r : 1;
}

static int combine(const struct token_hunk *hunk, const struct distance *least,
		   struct buffer *ret)
{
	scoped(token_chunks_release) struct token_chunks chunks = { 0 };
	int r = token_chunks_make(hunk, is_too_close, least, &chunks);

	if (r < 0)
		return r;
	for (size_t i = 0; i < chunks.count; i++)
		if (chunks.chunks[i].kind == CHUNK_CONFLICT)
			return 0;
	return put_together(hunk, &chunks, ret);
}

/* Whether both sides changed little. */
static bool is_small(const struct token_hunk *hunk, unsigned int kept,
		     unsigned int words)
{
	return is_share(hunk->ours.kept, hunk->base_words, kept) &&
	       is_share(hunk->theirs.kept, hunk->base_words, kept) &&
	       hunk->ours.changed <= words && hunk->theirs.changed <= words;
}

static int words(const struct token_hunk *hunk,
		 const struct token_policy *policy, struct buffer *ret)
{
	struct distance apart = { policy->apart_gap, 1 };
	struct distance near = { policy->near_gap, 0 };
	int r = 0;

	if (!is_known(hunk) || !hunk->base_words ||
	    token_hunk_is_new_layout(hunk))
		return 0;
	if (is_small(hunk, policy->apart_kept, policy->apart_words))
		r = combine(hunk, &apart, ret);
	if (r == 0 && is_small(hunk, policy->near_kept, policy->near_words))
		r = combine(hunk, &near, ret);
	return r;
}

const struct token_rule token_rule_words = { "tokens", words };

/* ---- rewrite, delete ---- */

/* Code, rather than prose: has many tokens that are no words. */
static bool is_code(const struct token_hunk *hunk, unsigned int percent)
{
	const struct token_list *base = &hunk->base_tokens;
	size_t others = 0;

	for (size_t i = 0; i < base->count; i++)
		others += base->tokens[i].kind == TOKEN_OTHER;
	return is_share(others, hunk->base_words, percent);
}

/* Whether a side changed few enough of the base's words. */
static bool is_touched(const struct token_hunk *hunk,
		       const struct token_side *side, unsigned int percent)
{
	return side->edits.known &&
	       side->changed * 100 <= hunk->base_words * percent;
}

/* Of both sides at most one can fit. */
static int take_fitting(bool ours, bool theirs, const struct token_hunk *hunk,
			struct buffer *ret)
{
	int r;

	if (ours == theirs)
		return 0;
	r = append_span(ret, ours ? &hunk->ours.text : &hunk->theirs.text);
	return r < 0 ? r : 1;
}

static bool is_rewritten(const struct token_hunk *hunk,
			 const struct token_policy *policy,
			 const struct token_side *side,
			 const struct token_side *other)
{
	return side->kept * 100 <= hunk->base_words * policy->rewrite_kept &&
	       is_touched(hunk, other, policy->rewrite_changed) &&
	       !span_is_blank(&side->text);
}

static int rewrite(const struct token_hunk *hunk,
		   const struct token_policy *policy, struct buffer *ret)
{
	if (!policy->rewrite_changed || !hunk->base_words ||
	    !is_code(hunk, policy->rewrite_others))
		return 0;
	return take_fitting(is_rewritten(hunk, policy, &hunk->ours,
					 &hunk->theirs),
			    is_rewritten(hunk, policy, &hunk->theirs,
					 &hunk->ours), hunk, ret);
}

const struct token_rule token_rule_rewrite = { "rewrite", rewrite };

static bool is_deleted(const struct token_hunk *hunk,
		       const struct token_policy *policy,
		       const struct token_side *side,
		       const struct token_side *other)
{
	return span_is_blank(&side->text) &&
	       is_touched(hunk, other, policy->delete_changed);
}

static int delete(const struct token_hunk *hunk,
		  const struct token_policy *policy, struct buffer *ret)
{
	if (!policy->delete_changed || !hunk->base_words)
		return 0;
	return take_fitting(is_deleted(hunk, policy, &hunk->ours,
				       &hunk->theirs),
			    is_deleted(hunk, policy, &hunk->theirs,
				       &hunk->ours), hunk, ret);
}

const struct token_rule token_rule_delete = { "delete", delete };

/* ---- replaced ---- */

/* How often a token is in each text. */
struct tally {
	enum token_kind kind;
	size_t base, ours, theirs;
};

/* What the rule looks at; `gone` and `put` count words that a side has less or
 * more often than the base. */
struct change {
	size_t gone, put;
	bool has_all;		/* nothing is gone on the other side alone */
};

static size_t count_ids(const struct token_list *list, size_t most)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->tokens[i].id >= most)
			most = (size_t)list->tokens[i].id + 1;
	return most;
}

static int tally_hunk(const struct token_hunk *hunk, struct tally **ret,
		      size_t *ret_count)
{
	const struct token_list *b = &hunk->base_tokens;
	const struct token_list *o = &hunk->ours.tokens;
	const struct token_list *t = &hunk->theirs.tokens;
	size_t count = count_ids(t, count_ids(o, count_ids(b, 0)));
	struct tally *all = calloc(count + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < b->count; i++) {
		all[b->tokens[i].id].kind = b->tokens[i].kind;
		all[b->tokens[i].id].base++;
	}
	for (size_t i = 0; i < o->count; i++) {
		all[o->tokens[i].id].kind = o->tokens[i].kind;
		all[o->tokens[i].id].ours++;
	}
	for (size_t i = 0; i < t->count; i++) {
		all[t->tokens[i].id].kind = t->tokens[i].kind;
		all[t->tokens[i].id].theirs++;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}

static size_t excess(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

static void add_word(const struct tally *t, struct change *ours,
		     struct change *theirs)
{
	size_t o = excess(t->base, t->ours), n = excess(t->base, t->theirs);

	ours->gone += o;
	theirs->gone += n;
	ours->has_all &= o >= n;
	theirs->has_all &= n >= o;
	ours->put += excess(t->ours, t->base);
	theirs->put += excess(t->theirs, t->base);
}

/* Code, rather than prose, where people carry small changes over; and sides that
 * have little in common. */
static bool is_replaceable(const struct tally *all, size_t count,
			   const struct token_policy *policy)
{
	size_t words = 0, others = 0, ours = 0, theirs = 0, shared = 0;

	for (size_t i = 0; i < count; i++) {
		const struct tally *t = &all[i];

		if (t->kind == TOKEN_BLANK)
			continue;
		*(t->kind == TOKEN_WORD ? &words : &others) += t->base;
		ours += t->ours;
		theirs += t->theirs;
		shared += t->ours < t->theirs ? t->ours : t->theirs;
	}
	return is_share(others, words, policy->replaced_others) &&
	       shared * 100 <= (ours > theirs ? ours : theirs) *
				       policy->replaced_similar;
}

static bool is_replaced(const struct change *side, const struct change *other,
			const struct token_policy *policy)
{
	return side->has_all && other->gone && side->gone > other->gone * 2 &&
	       other->gone + other->put <= policy->replaced_words;
}

/* What one side wrote anew holds nothing of what the other changed a little. */
static int replaced(const struct token_hunk *hunk,
		    const struct token_policy *policy, struct buffer *ret)
{
	struct change ours = { .has_all = true }, theirs = { .has_all = true };
	scoped_free struct tally *all = NULL;
	size_t count = 0;
	int r;

	if (!policy->replaced_words)
		return 0;
	r = tally_hunk(hunk, &all, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (all[i].kind == TOKEN_WORD)
			add_word(&all[i], &ours, &theirs);
	if (!is_replaceable(all, count, policy))
		return 0;
	return take_fitting(is_replaced(&ours, &theirs, policy) &&
				    !span_is_blank(&hunk->ours.text),
			    is_replaced(&theirs, &ours, policy) &&
				    !span_is_blank(&hunk->theirs.text),
			    hunk, ret);
}

const struct token_rule token_rule_replaced = { "replaced", replaced };
