/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"
#include "store/git_shallow.h"

#include <errno.h>

/* ---- sets of ids: open addressing, at most half full ---- */

static size_t slot_of(const struct oid_set *set, const struct oid *oid)
{
	size_t slot;

	/* ids are as good as random */
	memcpy(&slot, oid->id, sizeof(slot));
	slot &= set->capacity - 1;
	while (!oid_is_zero(&set->slots[slot]) &&
	       !oid_equal(&set->slots[slot], oid))
		slot = (slot + 1) & (set->capacity - 1);
	return slot;
}

static int oid_set_grow(struct oid_set *set)
{
	struct oid_set grown = {
		.count = set->count,
		.capacity = set->capacity ? 2 * set->capacity : 64,
	};

	grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->capacity; i++)
		if (!oid_is_zero(&set->slots[i]))
			grown.slots[slot_of(&grown, &set->slots[i])] =
				set->slots[i];
	free(set->slots);
	*set = grown;
	return 0;
}

bool oid_set_has(const struct oid_set *set, const struct oid *oid)
{
	return set->capacity &&
	       !oid_is_zero(&set->slots[slot_of(set, oid)]);
}

int oid_set_add(struct oid_set *set, const struct oid *oid)
{
	size_t slot;
	int r;

	if (2 * (set->count + 1) > set->capacity) {
		r = oid_set_grow(set);
		if (r)
			return r;
	}
	slot = slot_of(set, oid);
	if (!oid_is_zero(&set->slots[slot]))
		return 0;
	set->slots[slot] = *oid;
	set->count++;
	return 1;
}

void oid_set_release(struct oid_set *set)
{
	free(set->slots);
	*set = (struct oid_set){ 0 };
}

static int add_shallow(void *set, const struct oid *oid)
{
	return oid_set_add(set, oid);
}

int shallow_read(struct git_repo *repo, struct oid_set *ret)
{
	return git_shallow_each(repo, add_shallow, ret);
}

/* ---- a heap of commits, the latest on top ---- */

struct pending {
	struct oid oid;
	struct commit *commit;
	uint64_t number;	/* of equal times the first found goes first */
};

struct walk {
	struct store *store;
	struct oid_set seen, shallow;
	struct pending *heap;
	size_t count, capacity;
	uint64_t found;
};

static void walk_release(struct walk *w)
{
	for (size_t i = 0; i < w->count; i++)
		commit_free(w->heap[i].commit);
	free(w->heap);
	oid_set_release(&w->seen);
	oid_set_release(&w->shallow);
}

static bool is_before(const struct pending *a, const struct pending *b)
{
	int64_t left = a->commit->committer.time;
	int64_t right = b->commit->committer.time;

	return left != right ? left > right : a->number < b->number;
}

static void heap_push(struct walk *w, struct pending p)
{
	size_t i = w->count++;

	while (i && is_before(&p, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = p;
}

static struct pending heap_pop(struct walk *w)
{
	struct pending top = w->heap[0], last = w->heap[--w->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->count) {
		if (child + 1 < w->count &&
		    is_before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!is_before(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return top;
}

static int walk_add(struct walk *w, const struct oid *oid)
{
	struct pending p = { .oid = *oid, .number = w->found };
	int r = oid_set_add(&w->seen, oid);

	if (r <= 0)
		return r;
	if (w->count == w->capacity) {
		size_t more = w->capacity ? 2 * w->capacity : 64;
		struct pending *grown = reallocarray(w->heap, more,
						     sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		w->heap = grown;
		w->capacity = more;
	}
	r = commit_read(w->store->odb, oid, &p.commit);
	if (r)
		return r;
	w->found++;
	heap_push(w, p);
	return 0;
}

static int walk_step(struct walk *w, history_visit *visit, void *context)
{
	struct pending p = heap_pop(w);
	int r = visit(context, &p.oid, p.commit);

	if (!oid_set_has(&w->shallow, &p.oid))
		for (size_t i = 0; !r && i < p.commit->parent_count; i++)
			r = walk_add(w, &p.commit->parents[i]);
	commit_free(p.commit);
	return r;
}

int history_walk(struct store *store, const struct oid *start, size_t most,
		 history_visit *visit, void *context)
{
	scoped(walk_release) struct walk w = { .store = store };
	int r = shallow_read(store->repo, &w.shallow);

	if (!r)
		r = walk_add(&w, start);
	while (!r && w.count && most--)
		r = walk_step(&w, visit, context);
	return r;
}

/* ---- as text ---- */

static int print_merge(const struct commit *commit, struct buffer *out)
{
	char hex[OID_HEX_SIZE];
	int r = 0;

	if (commit->parent_count < 2)
		return 0;
	r = buffer_puts(out, "Merge:");
	for (size_t i = 0; !r && i < commit->parent_count; i++)
		r = buffer_printf(out, " %.7s",
				  oid_hex(&commit->parents[i], hex));
	return r ? r : buffer_puts(out, "\n");
}

static int print_date(const struct signature *s, struct buffer *out)
{
	int offset = s->offset < 0 ? -s->offset : s->offset;
	time_t t = s->time + (int64_t)s->offset * 60;
	char day[32], rest[32];
	struct tm tm;

	/* Names of days are Git's in any locale only without one; the daemon
	 * sets none. */
	if (!gmtime_r(&t, &tm) || !strftime(day, sizeof(day), "%a %b", &tm) ||
	    !strftime(rest, sizeof(rest), "%H:%M:%S %Y", &tm))
		return buffer_puts(out, "Date:   unknown\n");
	return buffer_printf(out, "Date:   %s %d %s %c%02d%02d\n", day,
			     tm.tm_mday, rest, s->offset < 0 ? '-' : '+',
			     offset / 60, offset % 60);
}

static int print_message(const char *message, struct buffer *out)
{
	size_t length;
	int r = buffer_puts(out, "\n");

	message += strspn(message, "\n");
	length = strlen(message);
	while (length && message[length - 1] == '\n')
		length--;
	for (const char *line = message; !r && line < message + length;) {
		size_t end = strcspn(line, "\n");

		r = buffer_printf(out, "    %.*s\n", (int)end, line);
		line += end + 1;
	}
	return r;
}

static int print_commit(void *context, const struct oid *oid,
			const struct commit *commit)
{
	struct buffer *out = context;
	char hex[OID_HEX_SIZE];
	int r = buffer_printf(out, "%scommit %s\n", out->length ? "\n" : "",
			      oid_hex(oid, hex));

	if (!r)
		r = print_merge(commit, out);
	if (!r)
		r = buffer_printf(out, "Author: %s <%s>\n", commit->author.name,
				  commit->author.email);
	if (!r)
		r = print_date(&commit->author, out);
	return r ? r : print_message(commit->message, out);
}

int history_text(struct store *store, const struct oid *start, size_t most,
		 struct buffer *ret)
{
	return history_walk(store, start, most, print_commit, ret);
}
