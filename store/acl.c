/* SPDX-License-Identifier: ISC */
#include "store/acl.h"
#include "store/journal_record.h"

#define VERSION 2u
#define HEADER 4u
#define ENTRY 8u

enum {
	USER_OBJECT = 1, USER = 2, GROUP_OBJECT = 4, GROUP = 8, MASK = 16,
	OTHER = 32,
};

struct entry {
	unsigned int tag;
	mode_t permissions;
	uint32_t id;
};

static size_t count(size_t size)
{
	return (size - HEADER) / ENTRY;
}

static struct entry get(const void *acl, size_t i)
{
	const unsigned char *at = (const unsigned char *)acl + HEADER +
				  i * ENTRY;

	return (struct entry){
		.tag = at[0] | at[1] << 8, .permissions = at[2] & 7,
		.id = get_u32_at((const char *)at + 4),
	};
}

static bool find(const void *acl, size_t size, unsigned int tag,
		 mode_t *ret_permissions)
{
	for (size_t i = 0; i < count(size); i++) {
		struct entry e = get(acl, i);

		if (e.tag != tag)
			continue;
		*ret_permissions = e.permissions;
		return true;
	}
	return false;
}

bool acl_is_valid(const void *acl, size_t size)
{
	mode_t none;

	return size >= HEADER && (size - HEADER) % ENTRY == 0 &&
	       get_u32_at(acl) == VERSION &&
	       find(acl, size, USER_OBJECT, &none) &&
	       find(acl, size, GROUP_OBJECT, &none) &&
	       find(acl, size, OTHER, &none);
}

mode_t acl_mode(const void *acl, size_t size)
{
	mode_t owner = 0, group = 0, other = 0;

	find(acl, size, USER_OBJECT, &owner);
	if (!find(acl, size, MASK, &group))
		find(acl, size, GROUP_OBJECT, &group);
	find(acl, size, OTHER, &other);
	return owner << 6 | group << 3 | other;
}

bool acl_is_mode(const void *acl, size_t size)
{
	return count(size) == 3;
}

void acl_set_mode(void *acl, size_t size, mode_t mode)
{
	mode_t none;
	unsigned int middle = find(acl, size, MASK, &none) ? MASK :
							     GROUP_OBJECT;

	for (size_t i = 0; i < count(size); i++) {
		unsigned int tag = get(acl, i).tag;
		unsigned char *at = (unsigned char *)acl + HEADER + i * ENTRY +
				    2;

		if (tag == USER_OBJECT)
			*at = mode >> 6 & 7;
		else if (tag == middle)
			*at = mode >> 3 & 7;
		else if (tag == OTHER)
			*at = mode & 7;
	}
}

mode_t acl_least_mode(const void *acl, size_t size, mode_t mode)
{
	mode_t group = mode >> 3 & 7, other = mode & 7;

	for (size_t i = 0; i < count(size); i++) {
		struct entry e = get(acl, i);

		if (e.tag == USER || e.tag == GROUP)
			other &= e.permissions & mode >> 3;
		if (e.tag == USER || e.tag == GROUP_OBJECT)
			group &= e.permissions;
	}
	return (mode & ~(mode_t)077) | group << 3 | other;
}

bool rights_have_group(const struct rights *rights, gid_t group)
{
	for (size_t i = 0; i < rights->count; i++)
		if (rights->groups[i] == group)
			return true;
	return rights->gid == group;
}

/* The algorithm is that of acl(5): the first that fits decides; of groups any. */
bool acl_allows(const void *acl, size_t size, const struct stat *st,
		const struct rights *rights, mode_t wanted)
{
	mode_t group = st->st_mode >> 3 & 7, least;
	bool fits = rights_have_group(rights, st->st_gid);
	bool allowed = fits && !size;

	if (rights->uid == st->st_uid)
		return (st->st_mode >> 6 & wanted) == wanted;
	for (size_t i = 0; size && i < count(size); i++) {
		struct entry e = get(acl, i);
		bool is_ours = e.tag == GROUP ? rights_have_group(rights, e.id) :
			       e.tag == GROUP_OBJECT && fits;

		if (e.tag == USER && e.id == rights->uid)
			return (e.permissions & group & wanted) == wanted;
		if (!is_ours)
			continue;
		fits = true;
		allowed |= (e.permissions & wanted) == wanted;
	}
	if (fits)
		return allowed && (group & wanted) == wanted;
	if (!rights->partial)
		return (st->st_mode & wanted) == wanted;
	/* a group of theirs may be denied what others may */
	least = size ? acl_least_mode(acl, size, st->st_mode) : st->st_mode;
	return (least & least >> 3 & wanted) == wanted;
}
