/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <string.h>

struct bringing_back {
	struct journal_replay *replay;
	struct cut **end;
	uint64_t count;
};

static int bring_back(void *context, const void *frame, size_t length,
		      uint64_t sequence, journal_data *data, void *source)
{
	struct bringing_back *b = context;
	struct cut *cut;
	int r = journal_decode(b->replay, frame, length, data, source, &cut);

	if (r < 0)
		return r;
	cut->journaled = true;
	*b->end = cut;
	b->end = &cut->next;
	b->count++;
	return 0;
}

static int count_frame(void *context, const void *frame, size_t length,
		       uint64_t sequence, journal_data *data, void *source)
{
	++*(uint64_t *)context;
	return 0;
}

/* Nothing can be written: the changes stay where they are. */
static int warn(struct engine *e, struct report *report)
{
	uint64_t count = 0;
	int r = journal_read(e->journal, e->table, count_frame, &count);

	if (r == 0 && count)
		log_warning("the journal has %llu commits that do not show, as "
			    "the store is open read-only: mount it writable "
			    "once", (unsigned long long)count);
	if (r < 0)
		log_warning("the journal cannot be read: %s", strerror(-r));
	return 0;
}

static int explain(int r, struct report *report)
{
	if (r == -EUCLEAN)
		return report_set(report, r, "the journal irminfs/journal is "
			"damaged; all that was published before is in the "
			"repository: to go on with that, move the folder away "
			"(what was changed in the last moments before the store "
			"was closed or the machine stopped is lost then)");
	if (r == -ENOTSUP)
		return report_set(report, r, "the journal irminfs/journal was "
			"written by a newer version of irminfs: use that");
	return report_set(report, r, "the journal irminfs/journal cannot be "
			  "brought back: %s", strerror(-r));
}

int engine_replay(struct engine *e, struct cut **ret_cuts,
		  struct report *report)
{
	struct bringing_back b = { .end = ret_cuts };
	int r;

	*ret_cuts = NULL;
	if (!e->journal)
		return 0;
	if (e->readonly)
		return warn(e, report);
	r = journal_replay_new(e->pool, e->table, &b.replay);
	if (r == 0)
		r = journal_read(e->journal, e->table, bring_back, &b);
	journal_replay_free(b.replay);
	if (r == 0 && b.count)
		log_info("%llu commits that were not published are brought back "
			 "from the journal", (unsigned long long)b.count);
	return r < 0 ? explain(r, report) : 0;
}
