/* SPDX-License-Identifier: ISC */
#include "store/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COARSE_LEAST ((uint64_t)65536)	/* bytes */

/* Index of the first range that ends at or after offset. */
static size_t find(const struct ranges *ranges, uint64_t offset)
{
	size_t low = 0, high = ranges->count;

	/* most writes are near the last one */
	if (high && ranges->at[high - 1].end < offset)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->at[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Joins what is nearer than a multiple of unit. */
static void coarsen(struct ranges *ranges, uint64_t unit)
{
	size_t kept = 0;

	for (size_t i = 1; i < ranges->count; i++) {
		struct range *last = &ranges->at[kept];

		if (ranges->at[i].offset - last->end < unit)
			last->end = ranges->at[i].end;
		else
			ranges->at[++kept] = ranges->at[i];
	}
	if (ranges->count)
		ranges->count = kept + 1;
}

/* Room for one more, be it by giving up what is not known exactly. */
static void make_room(struct ranges *ranges)
{
	size_t capacity = ranges->capacity ? 2 * ranges->capacity : 4;
	struct range *at = NULL;

	if (ranges->count < ranges->capacity)
		return;
	if (capacity <= RANGES_MOST)
		at = realloc(ranges->at, capacity * sizeof(*at));
	if (at) {
		ranges->at = at;
		ranges->capacity = capacity;
		return;
	}
	for (uint64_t unit = COARSE_LEAST;
	     ranges->count > ranges->capacity / 2 && unit; unit *= 4)
		coarsen(ranges, unit);
	if (ranges->count == ranges->capacity)
		ranges->all = true;
}

/* [first, last) are the ranges that [offset, end) touches. */
static void join(struct ranges *ranges, size_t first, size_t last,
		 uint64_t offset, uint64_t end)
{
	if (ranges->at[first].offset > offset)
		ranges->at[first].offset = offset;
	if (ranges->at[last - 1].end > end)
		end = ranges->at[last - 1].end;
	ranges->at[first].end = end;
	memmove(&ranges->at[first + 1], &ranges->at[last],
		(ranges->count - last) * sizeof(*ranges->at));
	ranges->count -= last - first - 1;
}

void ranges_add(struct ranges *ranges, uint64_t offset, uint64_t end)
{
	size_t first, last;

	if (offset >= end)
		return;
	make_room(ranges);
	if (ranges->all)
		return;
	first = last = find(ranges, offset);
	while (last < ranges->count && ranges->at[last].offset <= end)
		last++;
	if (first < last) {
		join(ranges, first, last, offset, end);
		return;
	}
	memmove(&ranges->at[first + 1], &ranges->at[first],
		(ranges->count - first) * sizeof(*ranges->at));
	ranges->at[first] = (struct range){ offset, end };
	ranges->count++;
}

void ranges_cut(struct ranges *ranges, uint64_t size)
{
	while (ranges->count &&
	       ranges->at[ranges->count - 1].offset >= size)
		ranges->count--;
	if (ranges->count && ranges->at[ranges->count - 1].end > size)
		ranges->at[ranges->count - 1].end = size;
}

int ranges_copy(const struct ranges *ranges, struct ranges *ret_copy)
{
	struct ranges copy = { 0 };

	if (ranges->count) {
		copy.at = malloc(ranges->count * sizeof(*copy.at));
		if (!copy.at)
			return -ENOMEM;
		memcpy(copy.at, ranges->at, ranges->count * sizeof(*copy.at));
		copy.count = copy.capacity = ranges->count;
	}
	copy.all = ranges->all;
	*ret_copy = copy;
	return 0;
}

void ranges_release(struct ranges *ranges)
{
	free(ranges->at);
	*ranges = (struct ranges){ 0 };
}
