/* SPDX-License-Identifier: ISC */
#include "store/local_bases.h"
#include "store/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "base-"
#define NUMBER_DIGITS 16
#define NAME_SIZE (sizeof(PREFIX) + 2 * (NUMBER_DIGITS + 1) + OID_HEX_SIZE)

static bool is_base(const struct tree_entry *entry)
{
	return strncmp(entry->name, PREFIX, strlen(PREFIX)) == 0;
}

/* ---- reading ---- */

static bool parse_number(const char *digits, uint64_t *ret)
{
	uint64_t n = 0;

	for (int i = 0; i < NUMBER_DIGITS; i++) {
		char c = digits[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = n;
	return true;
}

static int parse(const struct tree_entry *entry, struct local_base *ret)
{
	const char *number = entry->name + strlen(PREFIX);
	const char *origin = number + NUMBER_DIGITS + 1;
	const char *commit = origin + NUMBER_DIGITS + 1;

	if (entry->mode != MODE_TREE ||
	    strlen(entry->name) + 1 != NAME_SIZE - 1 ||
	    !parse_number(number, &ret->number) || origin[-1] != '-' ||
	    !parse_number(origin, &ret->origin) || commit[-1] != '-' ||
	    oid_parse(commit, &ret->commit) < 0)
		return -EUCLEAN;
	ret->face = entry->oid;
	return 0;
}

int local_bases_read(struct odb *odb, const struct oid *root,
		     struct local_bases *ret)
{
	scoped_tree struct tree *tree = NULL;
	int r = 0;

	ret->count = 0;
	if (oid_is_zero(root))
		return 0;
	r = tree_read(odb, root, &tree);
	/* Git's order is that of the numbers */
	for (size_t i = 0; r == 0 && i < tree->count; i++) {
		if (!is_base(&tree->entries[i]))
			continue;
		if (ret->count == LOCAL_BASES_MOST)
			return -EUCLEAN;
		r = parse(&tree->entries[i], &ret->base[ret->count++]);
	}
	return r;
}

/* ---- writing ---- */

int local_bases_write(struct odb *odb, const struct oid *root,
		      const struct local_bases *bases, struct oid *ret_root)
{
	scoped_tree struct tree *tree = NULL;
	scoped_free struct tree_entry *entries = NULL;
	char names[LOCAL_BASES_MOST][NAME_SIZE];
	size_t count = 0;
	int r = tree_read(odb, root, &tree);

	if (r < 0)
		return r;
	entries = calloc(tree->count + bases->count + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < tree->count; i++)
		if (!is_base(&tree->entries[i]))
			entries[count++] = tree->entries[i];
	for (size_t i = 0; i < bases->count; i++) {
		const struct local_base *base = &bases->base[i];
		char hex[OID_HEX_SIZE];

		snprintf(names[i], NAME_SIZE,
			 PREFIX "%016" PRIx64 "-%016" PRIx64 "-%s",
			 base->number, base->origin,
			 oid_hex(&base->commit, hex));
		entries[count++] = (struct tree_entry){
			.mode = MODE_TREE, .oid = base->face, .name = names[i],
		};
	}
	return tree_write(odb, entries, count, ret_root);
}

static bool is_same(const struct local_base *a, const struct local_base *b)
{
	return a->origin == b->origin && oid_equal(&a->commit, &b->commit);
}

static const struct local_base *find(const struct local_bases *bases,
				     const struct local_base *like)
{
	for (size_t i = 0; i < bases->count; i++)
		if (is_same(&bases->base[i], like))
			return &bases->base[i];
	return NULL;
}

static void insert(struct local_bases *bases, const struct local_base *base)
{
	const struct local_base *present = find(bases, base);
	size_t n = 0, at;

	if (present && present->number > base->number)
		return;
	for (size_t i = 0; i < bases->count; i++)
		if (&bases->base[i] != present)
			bases->base[n++] = bases->base[i];
	if (n == LOCAL_BASES_MOST && base->number < bases->base[0].number)
		return;
	if (n == LOCAL_BASES_MOST)
		memmove(bases->base, bases->base + 1,
			--n * sizeof(*bases->base));
	for (at = n; at > 0 && bases->base[at - 1].number > base->number; at--)
		bases->base[at] = bases->base[at - 1];
	bases->base[at] = *base;
	bases->count = n + 1;
}

int local_bases_add(struct odb *odb, const struct oid *root,
		    const struct local_base *base, struct oid *ret_root)
{
	static const struct local_bases none;
	struct local_base added = *base;
	struct local_bases bases, more;
	int r = local_bases_read(odb, root, &bases);

	if (r == 0)
		r = local_bases_read(odb, &base->face, &more);
	if (r == 0)
		r = local_bases_write(odb, &base->face, &none, &added.face);
	if (r < 0)
		return r;
	for (size_t i = 0; i < more.count; i++)
		insert(&bases, &more.base[i]);
	insert(&bases, &added);
	return local_bases_write(odb, root, &bases, ret_root);
}

/* ---- finding ---- */

static void take_newer(const struct local_base **best,
		       const struct local_base *base)
{
	if (base && (!*best || (*best)->number < base->number))
		*best = base;
}

const struct oid *local_bases_find(const struct local_bases *a, uint64_t a_origin,
				   const struct local_bases *b, uint64_t b_origin,
				   const struct oid *commit)
{
	const struct local_base key = { .origin = b_origin, .commit = *commit };
	const struct local_base *best = find(a, &key);

	for (size_t i = 0; i < b->count; i++) {
		const struct local_base *x = &b->base[i], *y = find(a, x);

		if (!oid_equal(&x->commit, commit))
			continue;
		if (x->origin == a_origin)
			take_newer(&best, x);
		else if (y)
			take_newer(&best, y->number < x->number ? y : x);
	}
	return best ? &best->face : NULL;
}
