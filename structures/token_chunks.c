/* SPDX-License-Identifier: ISC */
#include "structures/token_hunk.h"

#include <errno.h>

/* Both sides' edits are walked in order of the base.  `taken` counts those that a
 * chunk already has, `grown` how much longer the side got by them. */
struct walk {
	const struct token_edits *edits;
	size_t taken, first;		/* first: of the chunk that is made */
	ptrdiff_t grown, grown_before;
};

struct chunker {
	const struct token_hunk *hunk;
	token_is_close *is_close;
	const void *context;
	struct walk ours, theirs;
	size_t low, high;		/* of the base, the chunk so far */
	struct token_chunks result;
};

void token_chunks_release(struct token_chunks *chunks)
{
	free(chunks->chunks);
	*chunks = (struct token_chunks){ 0 };
}

static const struct token_edit *next(const struct walk *w)
{
	return w->taken < w->edits->count ? &w->edits->edits[w->taken] : NULL;
}

/* The last edit of a side in the chunk, or NULL. */
static const struct token_edit *last(const struct walk *w)
{
	return w->taken > w->first ? &w->edits->edits[w->taken - 1] : NULL;
}

static void take(struct chunker *c, struct walk *w)
{
	const struct token_edit *e = next(w);

	if (e->a1 > c->high)
		c->high = e->a1;
	w->grown += (ptrdiff_t)(e->b1 - e->b0) - (ptrdiff_t)(e->a1 - e->a0);
	w->taken++;
}

/* Whether the next edit of a side belongs to the chunk: it overlaps it, or is too
 * close to what the other side did last. */
static bool belongs(const struct chunker *c, const struct walk *w,
		    const struct walk *other)
{
	const struct token_edit *e = next(w), *before = last(other);

	if (!e)
		return false;
	return e->a0 < c->high ||
	       (before && c->is_close(c->hunk, c->context, before, e));
}

static bool is_before(const struct token_edit *a, const struct token_edit *b)
{
	return a->a0 < b->a0 || (a->a0 == b->a0 && a->a1 <= b->a1);
}

static void gather(struct chunker *c)
{
	const struct token_edit *o = next(&c->ours), *t = next(&c->theirs);
	struct walk *first = !t || (o && is_before(o, t)) ? &c->ours
							  : &c->theirs;
	bool more;

	c->low = next(first)->a0;
	c->high = next(first)->a1;
	take(c, first);
	do {
		more = false;
		if (belongs(c, &c->ours, &c->theirs)) {
			take(c, &c->ours);
			more = true;
		}
		if (belongs(c, &c->theirs, &c->ours)) {
			take(c, &c->theirs);
			more = true;
		}
	} while (more);
}

static bool is_same(const struct token_list *a, size_t a0, size_t a1,
		    const struct token_list *b, size_t b0, size_t b1)
{
	if (a1 - a0 != b1 - b0)
		return false;
	for (size_t i = 0; i < a1 - a0; i++)
		if (a->tokens[a0 + i].id != b->tokens[b0 + i].id)
			return false;
	return true;
}

static struct token_chunk describe(const struct chunker *c)
{
	struct token_chunk chunk = {
		.b0 = c->low, .b1 = c->high,
		.o0 = c->low + c->ours.grown_before,
		.o1 = c->high + c->ours.grown,
		.t0 = c->low + c->theirs.grown_before,
		.t1 = c->high + c->theirs.grown,
	};

	if (!last(&c->ours))
		chunk.kind = CHUNK_THEIRS;
	else if (!last(&c->theirs))
		chunk.kind = CHUNK_OURS;
	else if (is_same(&c->hunk->ours.tokens, chunk.o0, chunk.o1,
			 &c->hunk->theirs.tokens, chunk.t0, chunk.t1))
		chunk.kind = CHUNK_BOTH;
	else
		chunk.kind = CHUNK_CONFLICT;
	return chunk;
}

static int add_chunk(struct chunker *c)
{
	struct token_chunks *to = &c->result;
	struct token_chunk *more = to->chunks;

	/* grows at powers of two */
	if ((to->count & (to->count - 1)) == 0)
		more = reallocarray(more, to->count ? to->count * 2 : 1,
				    sizeof(*more));
	if (!more)
		return -ENOMEM;
	to->chunks = more;
	to->chunks[to->count++] = describe(c);
	return 0;
}

static void begin(struct walk *w)
{
	w->first = w->taken;
	w->grown_before = w->grown;
}

int token_chunks_make(const struct token_hunk *hunk, token_is_close *is_close,
		      const void *context, struct token_chunks *ret)
{
	struct chunker c = {
		.hunk = hunk, .is_close = is_close, .context = context,
		.ours.edits = &hunk->ours.edits,
		.theirs.edits = &hunk->theirs.edits,
	};
	int r = 0;

	while (r == 0 && (next(&c.ours) || next(&c.theirs))) {
		begin(&c.ours);
		begin(&c.theirs);
		gather(&c);
		r = add_chunk(&c);
	}
	if (r < 0) {
		token_chunks_release(&c.result);
		return r;
	}
	*ret = c.result;
	return 0;
}
