/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <inttypes.h>

/* Numbers that tell why something is slow, or is not.  One list serves the
 * control file and the request. */

struct number {
	const char *name;
	uint64_t value;
};

typedef int number_visit(void *context, const struct number *number);

static int each_number(struct store *store, number_visit *visit, void *context)
{
	struct engine_stats e;
	struct pool_stats p;
	int r = 0;

	engine_get_stats(store_engine(store), &e);
	pool_get_stats(store_pool(store), &p);

	const struct number numbers[] = {
		{ "cuts", e.cuts },
		{ "cuts_journaled", e.journaled },
		{ "journal_flushes", e.flushes },
		{ "journal_bytes", e.journal_bytes },
		{ "cuts_published", e.published },
		{ "cuts_queued", e.queued },
		{ "cuts_held", e.held },
		{ "publishes", e.publishes },
		{ "publish_us", e.publish_us },
		{ "publish_lag_us", e.lag_us },
		{ "publish_lag_most_us", e.lag_most_us },
		{ "commits", e.commits },
		{ "failures", e.failures },
		{ "block_bytes", p.block_bytes },
		{ "blob_bytes", p.blob_bytes },
		{ "spill_bytes", p.spill_bytes },
		{ "file_bytes", p.file_bytes },
		{ "blob_hits", p.blob_hits },
		{ "blob_misses", p.blob_misses },
	};

	for (size_t i = 0; !r && i < sizeof(numbers) / sizeof(*numbers); i++)
		r = visit(context, &numbers[i]);
	return r;
}

static int print(void *context, const struct number *number)
{
	return buffer_printf(context, "%s %" PRIu64 "\n", number->name,
			     number->value);
}

int control_stats_text(struct store *store, struct buffer *ret)
{
	return each_number(store, print, ret);
}

static int set(void *context, const struct number *number)
{
	return reply_set(context, number->name, json_integer(number->value));
}

int control_stats(struct control *c, json_t *reply)
{
	return each_number(c->store, set, reply);
}

int control_publish(struct control *c, json_t *reply)
{
	return store_publish(c->store);
}
