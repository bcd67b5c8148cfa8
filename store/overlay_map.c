/* SPDX-License-Identifier: ISC */
#include "store/overlay_map.h"

#include <errno.h>

static void group_unref(struct group *group)
{
	if (!group || atomic_fetch_sub_explicit(&group->refs, 1,
						memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < group->capacity; i++)
		block_unref(group->blocks[i]);
	free(group);
}

static struct group *group_ref(struct group *group)
{
	if (group)
		atomic_fetch_add_explicit(&group->refs, 1,
					  memory_order_relaxed);
	return group;
}

static bool is_exclusive(struct group *group)
{
	return atomic_load_explicit(&group->refs, memory_order_acquire) == 1;
}

static size_t group_size(uint32_t capacity)
{
	return sizeof(struct group) + capacity * sizeof(struct block *);
}

/* Room for more entries in an exclusive group. */
static struct group *group_grow(struct group *group, uint32_t capacity)
{
	struct group *grown = realloc(group, group_size(capacity));

	if (!grown)
		return NULL;
	memset(grown->blocks + grown->capacity, 0,
	       (capacity - grown->capacity) * sizeof(struct block *));
	grown->capacity = capacity;
	return grown;
}

/* A new group with the first `keep` entries of one (NULL: of none). */
static struct group *group_copy(struct group *group, uint32_t keep,
				uint32_t capacity)
{
	struct group *copy = calloc(1, group_size(capacity));

	if (!copy)
		return NULL;
	atomic_init(&copy->refs, 1);
	copy->capacity = capacity;
	for (uint32_t i = 0; group && i < keep && i < group->capacity; i++)
		if (group->blocks[i])
			copy->blocks[i] = block_ref(group->blocks[i]);
	return copy;
}

static uint32_t capacity_for(uint32_t entries)
{
	uint32_t capacity = 1;

	while (capacity < entries)
		capacity *= 2;
	return capacity;
}

static int reserve_groups(struct map *map, uint64_t count)
{
	struct group **groups;

	if (count <= map->count)
		return 0;
	groups = realloc(map->groups, count * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	memset(groups + map->count, 0, (count - map->count) * sizeof(*groups));
	map->groups = groups;
	map->count = count;
	return 0;
}

/* Group number g gets room for that many entries, unshared. */
static int reserve_group(struct map *map, uint64_t g, uint32_t entries)
{
	struct group *group = map->groups[g], *changed;
	uint32_t capacity = capacity_for(entries);
	bool shared = group && !is_exclusive(group);

	if (group && capacity < group->capacity)
		capacity = group->capacity;
	if (group && !shared && group->capacity == capacity)
		return 0;
	if (group && !shared)
		changed = group_grow(group, capacity);
	else
		changed = group_copy(group, GROUP_BLOCKS, capacity);
	if (!changed)
		return -ENOMEM;
	map->groups[g] = changed;
	if (shared)
		group_unref(group);
	return 0;
}

int map_reserve(struct map *map, uint64_t first, uint64_t last)
{
	uint64_t from = first / GROUP_BLOCKS, to = last / GROUP_BLOCKS;
	int r = reserve_groups(map, to + 1);

	for (uint64_t g = from; r == 0 && g <= to; g++)
		r = reserve_group(map, g, g < to ? GROUP_BLOCKS
						 : last % GROUP_BLOCKS + 1);
	return r;
}

void map_set(struct map *map, uint64_t index, struct block *block)
{
	struct group *group = map->groups[index / GROUP_BLOCKS];
	struct block **entry = &group->blocks[index % GROUP_BLOCKS];
	struct block *old = *entry;

	*entry = block;
	block_unref(old);
}

int map_set_group(struct map *map, uint64_t group, struct group *from)
{
	int r = from ? reserve_groups(map, group + 1) : 0;

	if (r < 0 || group >= map->count)
		return r;
	group_ref(from);
	group_unref(map->groups[group]);
	map->groups[group] = from;
	return 0;
}

static uint64_t next_in_group(const struct map *map, uint64_t index,
			      uint64_t g)
{
	struct group *group = map->groups[g];
	uint32_t i = g == index / GROUP_BLOCKS ? index % GROUP_BLOCKS : 0;

	for (; group && i < group->capacity; i++)
		if (group->blocks[i])
			return g * GROUP_BLOCKS + i;
	return MAP_END;
}

uint64_t map_next(const struct map *map, uint64_t index)
{
	for (uint64_t g = index / GROUP_BLOCKS; g < map->count; g++) {
		uint64_t found = next_in_group(map, index, g);

		if (found != MAP_END)
			return found;
	}
	return MAP_END;
}

void map_cut(struct map *map, uint64_t count)
{
	uint64_t g = count / GROUP_BLOCKS;
	uint32_t keep = count % GROUP_BLOCKS;
	struct group *group = keep ? map_group(map, g) : NULL;

	for (uint32_t i = keep; group && i < group->capacity; i++) {
		block_unref(group->blocks[i]);
		group->blocks[i] = NULL;
	}
	for (g += keep != 0; g < map->count; g++) {
		group_unref(map->groups[g]);
		map->groups[g] = NULL;
	}
}

int map_copy(const struct map *map, struct map *ret_copy)
{
	struct map copy = { .count = map->count };

	if (map->count) {
		copy.groups = calloc(map->count, sizeof(*copy.groups));
		if (!copy.groups)
			return -ENOMEM;
	}
	for (uint32_t g = 0; g < map->count; g++)
		copy.groups[g] = group_ref(map->groups[g]);
	*ret_copy = copy;
	return 0;
}

void map_release(struct map *map)
{
	for (uint32_t g = 0; g < map->count; g++)
		group_unref(map->groups[g]);
	free(map->groups);
	*map = (struct map){ 0 };
}
