/* SPDX-License-Identifier: ISC */
#include "store/outside_wait.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>

#define LEAST_MS 1000
#define MOST_MS 60000

struct outside_wait {
	struct outside_wait *next;
	struct oid seen;
	uint64_t at;
	unsigned int interval;
	bool met;		/* since outside_waits_begin */
	char name[];
};

/* Where the one of that name is, or would be. */
static struct outside_wait **find(struct outside_waits *waits, const char *name)
{
	struct outside_wait **at = &waits->first;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void remove_at(struct outside_wait **at)
{
	struct outside_wait *wait = *at;

	*at = wait->next;
	free(wait);
}

void outside_waits_release(struct outside_waits *waits)
{
	while (waits->first)
		remove_at(&waits->first);
}

int outside_waits_add(struct outside_waits *waits, const char *name,
		      const struct oid *seen, int error, uint64_t now)
{
	struct outside_wait **at = find(waits, name), *wait = *at;
	size_t size = strlen(name) + 1;
	int r = !wait || !oid_equal(&wait->seen, seen);

	if (!wait) {
		wait = calloc(1, sizeof(*wait) + size);
		if (!wait)
			return -ENOMEM;
		memcpy(wait->name, name, size);
		*at = wait;
	}
	wait->interval = r || error == -EBUSY ? LEAST_MS : 2 * wait->interval;
	if (wait->interval > MOST_MS)
		wait->interval = MOST_MS;
	wait->seen = *seen;
	wait->at = now + wait->interval;
	wait->met = true;
	return r;
}

void outside_waits_remove(struct outside_waits *waits, const char *name)
{
	struct outside_wait **at = find(waits, name);

	if (*at)
		remove_at(at);
}

bool outside_waits_has(struct outside_waits *waits, const char *name,
		       const struct oid *seen, uint64_t now)
{
	struct outside_wait *wait = *find(waits, name);

	if (!wait)
		return false;
	wait->met = true;
	return oid_equal(&wait->seen, seen) && wait->at > now;
}

void outside_waits_begin(struct outside_waits *waits)
{
	for (struct outside_wait *w = waits->first; w; w = w->next)
		w->met = false;
}

void outside_waits_end(struct outside_waits *waits)
{
	struct outside_wait **at = &waits->first;

	while (*at)
		if ((*at)->met)
			at = &(*at)->next;
		else
			remove_at(at);
}

int outside_waits_timeout(const struct outside_waits *waits, uint64_t now)
{
	uint64_t least = UINT64_MAX;

	for (const struct outside_wait *w = waits->first; w; w = w->next)
		if (w->at < least)
			least = w->at;
	return !waits->first ? -1 : least > now ? (int)(least - now) : 0;
}
