/* SPDX-License-Identifier: ISC */
#ifndef STORE_OVERLAY_MAP_H
#define STORE_OVERLAY_MAP_H

#include "store/pool.h"

/* The map from block numbers to blocks: groups of 512 (32 MiB of the file),
 * which copies of the map share until one of them changes there.  The map's
 * owner locks it. */

#define GROUP_BLOCKS 512u

struct group {
	_Atomic unsigned int refs;
	uint32_t capacity;	/* entries that are there; others are NULL */
	struct block *blocks[];
};

struct map {
	struct group **groups;
	uint32_t count;		/* of groups */
};

#define MAP_END UINT64_MAX

static inline struct group *map_group(const struct map *map, uint64_t group)
{
	return group < map->count ? map->groups[group] : NULL;
}

/* The block or NULL; no reference. */
static inline struct block *map_get(const struct map *map, uint64_t index)
{
	struct group *group = map_group(map, index / GROUP_BLOCKS);
	uint32_t i = index % GROUP_BLOCKS;

	return group && i < group->capacity ? group->blocks[i] : NULL;
}

/* The first block number at or after index that has a block, or MAP_END. */
uint64_t map_next(const struct map *map, uint64_t index);

/* Makes map_set possible for [first, last]: groups that are there and not
 * shared.  -ENOMEM; the mapping is the same in any case. */
int map_reserve(struct map *map, uint64_t first, uint64_t last);

/* Puts a block (NULL: none), whose reference it takes, in a reserved place. */
void map_set(struct map *map, uint64_t index, struct block *block);

/* Replaces a whole group by another map's (NULL: by none), sharing it.
 * -ENOMEM. */
int map_set_group(struct map *map, uint64_t group, struct group *from);

/* Drops the blocks from number count on.  The one before is reserved, or its
 * group is not there. */
void map_cut(struct map *map, uint64_t count);

/* A map that shares everything.  -ENOMEM. */
int map_copy(const struct map *map, struct map *ret_copy);
void map_release(struct map *map);

#endif
