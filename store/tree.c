/* SPDX-License-Identifier: ISC */
#include "store/tree.h"
#include "store/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static unsigned char next_byte(const char *name, size_t length, size_t at,
			       uint32_t mode)
{
	if (at < length)
		return name[at];
	return mode_stored(mode) == MODE_TREE ? '/' : '\0';
}

int tree_compare(const char *a, uint32_t a_mode, const char *b, uint32_t b_mode)
{
	size_t a_length, b_length, shorter;
	unsigned char a_next, b_next;
	int order;

	/* mostly the first byte tells */
	if (*a && *b && *a != *b)
		return (int)(unsigned char)*a - (int)(unsigned char)*b;
	a_length = strlen(a);
	b_length = strlen(b);
	shorter = a_length < b_length ? a_length : b_length;
	order = memcmp(a, b, shorter);
	if (order)
		return order;
	a_next = next_byte(a, a_length, shorter, a_mode);
	b_next = next_byte(b, b_length, shorter, b_mode);
	return (int)a_next - (int)b_next;
}

/* Git has written modes such as 100664 in old times; it reads any file mode as
 * one of two. */
static uint32_t normalise(uint32_t mode)
{
	switch (mode & 0170000) {
	case 0100000:
		return mode & 0100 ? MODE_EXECUTABLE : MODE_FILE;
	case 0120000:
		return MODE_SYMLINK;
	case 0040000:
		return MODE_TREE;
	case 0160000:
		return MODE_SUBMODULE;
	}
	return 0;
}

/* Reads "MODE " at p; returns the byte behind it or NULL. */
static const char *decode_mode(const char *p, const char *end, uint32_t *ret)
{
	uint32_t mode = 0;

	/* nearly all are one of these */
	if (end - p >= 7 && memcmp(p, "100644 ", 7) == 0) {
		*ret = MODE_FILE;
		return p + 7;
	}
	if (end - p >= 6 && memcmp(p, "40000 ", 6) == 0) {
		*ret = MODE_TREE;
		return p + 6;
	}
	if (p == end || *p == ' ')
		return NULL;
	for (; p < end && *p != ' '; p++) {
		if (*p < '0' || *p > '7' || mode > 0777777)
			return NULL;
		mode = mode << 3 | (*p - '0');
	}
	*ret = normalise(mode);
	return p < end && *ret ? p + 1 : NULL;
}

/* Reads "MODE NAME\0OID" at p; returns the byte behind it or NULL. */
static const char *decode_entry(const char *p, const char *end,
				struct tree_entry *ret, size_t *ret_length)
{
	const char *nul;

	p = decode_mode(p, end, &ret->mode);
	nul = p ? memchr(p, '\0', end - p) : NULL;
	if (!nul || nul == p || end - nul - 1 < OID_SIZE || memchr(p, '/', nul - p))
		return NULL;
	ret->name = p;
	memcpy(ret->oid.id, nul + 1, OID_SIZE);
	*ret_length = nul - p;
	return nul + 1 + OID_SIZE;
}

/* Whether an entry may come right behind another one. */
static bool is_in_order(const struct tree_entry *before, size_t before_length,
			const struct tree_entry *entry, size_t length)
{
	size_t shorter = length < before_length ? length : before_length;
	int order = memcmp(before->name, entry->name, shorter);

	if (order || length == before_length)
		return order < 0;
	return next_byte(before->name, before_length, shorter, before->mode) <
	       next_byte(entry->name, length, shorter, entry->mode);
}

/* The shortest mode is that of a directory. */
#define ENTRY_MIN (sizeof("40000 a") + OID_SIZE)

static size_t count_at_most(size_t size)
{
	return size < ENTRY_MIN ? 1 : size / ENTRY_MIN;
}

static int decode_entries(struct tree *tree, size_t size)
{
	const char *p = tree->data, *end = p + size;
	size_t before = 0, length;

	while (p < end) {
		struct tree_entry *entry = &tree->entries[tree->count];

		if ((size_t)(end - p) < ENTRY_MIN)
			return -EUCLEAN;
		p = decode_entry(p, end, entry, &length);
		if (!p || (tree->count &&
			   !is_in_order(entry - 1, before, entry, length)))
			return -EUCLEAN;
		before = length;
		tree->count++;
	}
	return 0;
}

/* Names are seldom as short as they can be; gives back what is not worth it to
 * keep. */
static void fit(struct tree *tree, size_t capacity)
{
	struct tree_entry *fitted;

	if (capacity - tree->count < 64)
		return;
	fitted = realloc(tree->entries, (tree->count + 1) * sizeof(*fitted));
	if (fitted)
		tree->entries = fitted;
}

int tree_decode(void *data, size_t size, struct tree **ret_tree)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int r;

	if (!tree) {
		free(data);
		return -ENOMEM;
	}
	tree->data = data;
	tree->entries = malloc(count_at_most(size) * sizeof(*tree->entries));
	r = tree->entries ? decode_entries(tree, size) : -ENOMEM;
	if (r < 0) {
		tree_free(tree);
		return r;
	}
	fit(tree, count_at_most(size));
	*ret_tree = tree;
	return 0;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	free(tree->entries);
	free(tree->data);
	free(tree);
}

int tree_read(struct odb *odb, const struct oid *oid, struct tree **ret_tree)
{
	void *data;
	size_t size;
	int r;

	if (oid_is_zero(oid) || oid_equal(oid, &oid_empty_tree))
		return tree_decode(NULL, 0, ret_tree);
	r = odb_read(odb, oid, OBJECT_TREE, &data, &size);
	return r < 0 ? r : tree_decode(data, size, ret_tree);
}

static const struct tree_entry *search(const struct tree *tree,
				       const char *name, uint32_t mode)
{
	size_t low = 0, high = tree->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct tree_entry *entry = &tree->entries[middle];
		int order = tree_compare(name, mode, entry->name, entry->mode);

		if (order == 0 && strcmp(name, entry->name) == 0)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct tree_entry *tree_find(const struct tree *tree, const char *name)
{
	const struct tree_entry *entry = search(tree, name, MODE_FILE);

	return entry ? entry : search(tree, name, MODE_TREE);
}

static int compare_entries(const void *a, const void *b)
{
	const struct tree_entry *x = a, *y = b;

	return tree_compare(x->name, x->mode, y->name, y->mode);
}

/* Who changes one entry of a tree has the others in order. */
static bool are_sorted(const struct tree_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) > 0)
			return false;
	return true;
}

static char *write_mode(uint32_t mode, char *to)
{
	int shift = mode >> 15 ? 15 : 12;

	for (; shift >= 0; shift -= 3)
		*to++ = '0' + (mode >> shift & 7);
	return to;
}

static char *write_entry(const struct tree_entry *entry, char *to)
{
	size_t length = strlen(entry->name) + 1;

	to = write_mode(mode_stored(entry->mode), to);
	*to++ = ' ';
	memcpy(to, entry->name, length);
	memcpy(to + length, entry->oid.id, OID_SIZE);
	return to + length + OID_SIZE;
}

int tree_write(struct odb *odb, struct tree_entry *entries, size_t count,
	       struct oid *ret_oid)
{
	scoped_free char *data = NULL;
	size_t size = 1;
	char *end;

	if (!are_sorted(entries, count))
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i++)
		size += sizeof("100644 ") + strlen(entries[i].name) + OID_SIZE;
	end = data = malloc(size);
	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		end = write_entry(&entries[i], end);
	return odb_write(odb, OBJECT_TREE, data, end - data, ret_oid);
}

static int resolve_component(struct odb *odb, struct tree_entry *at,
			     const char *path, size_t length)
{
	char name[NAME_LENGTH_MAX + 1];
	struct tree *tree;
	const struct tree_entry *entry;
	int r;

	if (at->mode != MODE_TREE)
		return -ENOTDIR;
	if (length > NAME_LENGTH_MAX)
		return -ENOENT;
	memcpy(name, path, length);
	name[length] = '\0';
	r = tree_read(odb, &at->oid, &tree);
	if (r < 0)
		return r;
	entry = tree_find(tree, name);
	if (entry) {
		at->mode = entry->mode;
		at->oid = entry->oid;
	}
	tree_free(tree);
	return entry ? 0 : -ENOENT;
}

int tree_resolve(struct odb *odb, const struct oid *root, const char *path,
		 struct tree_entry *ret_entry)
{
	struct tree_entry at = { .mode = MODE_TREE, .oid = *root };

	while (*path) {
		size_t length = strcspn(path, "/");
		int r = resolve_component(odb, &at, path, length);

		if (r < 0)
			return r;
		path += length + (path[length] == '/');
	}
	*ret_entry = at;
	return 0;
}

/* ---- names ---- */

/* Code points that HFS+ ignores when it compares names: U+200C..U+200F,
 * U+202A..U+202E, U+206A..U+206F, U+FEFF. */
static size_t hfs_ignorable(const unsigned char *p)
{
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    ((p[2] >= 0x8c && p[2] <= 0x8f) || (p[2] >= 0xaa && p[2] <= 0xae)))
		return 3;
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xaa && p[2] <= 0xaf)
		return 3;
	if (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
		return 3;
	return 0;
}

/* want is of lower case. */
static bool is_hfs_name(const char *name, const char *want)
{
	const unsigned char *p = (const unsigned char *)name;

	for (;;) {
		size_t skip = hfs_ignorable(p);

		if (skip) {
			p += skip;
			continue;
		}
		if (!*want)
			return *p == '\0';
		if (*p >= 0x80 || (*p | ((*p >= 'A' && *p <= 'Z') ? 0x20 : 0)) != *want)
			return false;
		p++;
		want++;
	}
}

/* Windows drops trailing spaces and dots, and takes ':' as the begin of a
 * stream's name; '\\' separates folders there. */
static bool is_ntfs_end(const char *rest)
{
	rest += strspn(rest, " .");
	return *rest == '\0' || *rest == ':' || *rest == '\\';
}

static bool is_ntfs_dot_git(const char *name)
{
	if (strncasecmp(name, ".git", 4) == 0)
		return is_ntfs_end(name + 4);
	return strncasecmp(name, "git~1", 5) == 0 && is_ntfs_end(name + 5);
}

/* In any of the folders that Windows sees in name. */
static bool is_ntfs_path_dot_git(const char *name)
{
	for (; name; name = strchr(name, '\\')) {
		name += *name == '\\';
		if (is_ntfs_dot_git(name))
			return true;
	}
	return false;
}

/* Windows makes a short name of a long one: its first six letters or, when
 * those are taken, a shorter part of a hash; "~" and a number. */
static bool is_ntfs_short_name(const char *name, const char *letters,
			       const char *hash)
{
	size_t n = 0, end;

	if (strncasecmp(name, letters, 6) == 0 && name[6] == '~' &&
	    name[7] >= '1' && name[7] <= '4')
		return is_ntfs_end(name + 8);
	while (n < 6 && name[n] && tolower((unsigned char)name[n]) == hash[n])
		n++;
	if (name[n] != '~' || name[n + 1] < '1' || name[n + 1] > '9')
		return false;
	end = n + 1 + strspn(name + n + 1, "0123456789");
	return end == 8 && is_ntfs_end(name + end);
}

static bool is_dot_gitmodules(const char *name)
{
	if (is_hfs_name(name, ".gitmodules"))
		return true;
	if (strncasecmp(name, ".gitmodules", 11) == 0)
		return is_ntfs_end(name + 11);
	return is_ntfs_short_name(name, "gitmod", "gi7eba");
}

int tree_check_name(const char *name)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strchr(name, '/'))
		return -EINVAL;
	if (strlen(name) > NAME_LENGTH_MAX)
		return -ENAMETOOLONG;
	if (is_hfs_name(name, ".git") || is_ntfs_path_dot_git(name))
		return -EPERM;
	return 0;
}

int tree_check_symlink(const char *name)
{
	return is_dot_gitmodules(name) ? -EPERM : 0;
}
