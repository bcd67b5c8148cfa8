/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/local_leaf.h"
#include "store/local_table.h"
#include "store/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PIECE_NAME_SIZE 40

/* A table within another one. */
struct piece {
	struct local_ref ref;
	uint64_t count, own;
};

static unsigned int digit_of(const char *name, unsigned int level)
{
	return checksum64(name, strlen(name), 0) >> 4 * level & 15;
}

/* ---- reading ---- */

static bool parse_hex(const char **at, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n = 0;
	int count = 0;

	for (const char *digit; **at && (digit = strchr(digits, **at));
	     ++*at, count++)
		n = n << 4 | (uint64_t)(digit - digits);
	*ret = n;
	return count > 0 && count <= 16;
}

static int parse_piece(const struct tree_entry *entry, struct piece *pieces)
{
	const char *at = entry->name;
	uint64_t digit;
	struct piece piece = {
		.ref = { entry->oid, entry->mode == MODE_TREE },
	};

	if (!parse_hex(&at, &digit) || digit >= LOCAL_DIGITS || *at++ != '-' ||
	    !parse_hex(&at, &piece.count) || *at++ != '-' ||
	    !parse_hex(&at, &piece.own) || *at || piece.own > piece.count ||
	    !oid_is_zero(&pieces[digit].ref.oid))
		return -EUCLEAN;
	pieces[digit] = piece;
	return 0;
}

/* 1: a leaf, whose rows it reads; 0: pieces. */
static int read_table(struct odb *odb, const struct local_ref *ref,
		      unsigned int level, struct local_rows *rows,
		      struct piece *pieces)
{
	scoped_tree struct tree *tree = NULL;
	const struct tree_entry *leaf;
	int r;

	if (oid_is_zero(&ref->oid))
		return 1;
	if (!ref->is_tree) {
		r = local_leaf_read(odb, &ref->oid, rows);
		return r < 0 ? r : 1;
	}
	r = tree_read(odb, &ref->oid, &tree);
	if (r < 0)
		return r;
	leaf = tree_find(tree, LOCAL_LEAF);
	if (leaf) {
		r = local_leaf_read(odb, &leaf->oid, rows);
		return r < 0 ? r : 1;
	}
	if (level >= LOCAL_LEVEL_MOST)
		return -EUCLEAN;
	memset(pieces, 0, LOCAL_DIGITS * sizeof(*pieces));
	for (size_t i = 0; r == 0 && i < tree->count; i++)
		r = parse_piece(&tree->entries[i], pieces);
	return r;
}

static int visit_rows(struct local_rows *rows, local_visit *visit,
		      void *context)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->count; i++)
		r = visit(context, rows->row[i].name,
			  STEAL(rows->row[i].local));
	return r;
}

static int each(struct odb *odb, const struct local_ref *ref,
		unsigned int level, local_visit *visit, void *context)
{
	scoped_rows struct local_rows rows = { 0 };
	struct piece pieces[LOCAL_DIGITS];
	int r = read_table(odb, ref, level, &rows, pieces);

	if (r == 1)
		return visit_rows(&rows, visit, context);
	for (size_t i = 0; r == 0 && i < LOCAL_DIGITS; i++)
		r = each(odb, &pieces[i].ref, level + 1, visit, context);
	return r;
}

int local_table_each(struct odb *odb, const struct local_ref *table,
		     local_visit *visit, void *context)
{
	return each(odb, table, 0, visit, context);
}

struct checking {
	struct odb *odb;
	local_visit *visit;
	local_problem *problem;
	void *context;
};

static int check_table(const struct checking *c, const struct local_ref *ref,
		       unsigned int level)
{
	scoped_rows struct local_rows rows = { 0 };
	struct piece pieces[LOCAL_DIGITS];
	int r = read_table(c->odb, ref, level, &rows, pieces);

	if (r < 0)
		return c->problem(c->context, &ref->oid, r);
	if (r == 1)
		return visit_rows(&rows, c->visit, c->context);
	for (size_t i = 0; r == 0 && i < LOCAL_DIGITS; i++)
		r = check_table(c, &pieces[i].ref, level + 1);
	return r;
}

int local_table_check(struct odb *odb, const struct local_ref *table,
		      local_visit *visit, local_problem *problem,
		      void *context)
{
	const struct checking c = { odb, visit, problem, context };

	return check_table(&c, table, 0);
}

static struct local_row *find_row(const struct local_rows *rows, const char *name)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(rows->row[middle].name, name);

		if (order == 0)
			return &rows->row[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int find_at(struct odb *odb, const struct local_ref *table,
		   unsigned int level, const char *name,
		   struct local **ret_local)
{
	struct local_ref ref = *table;

	for (;; level++) {
		scoped_rows struct local_rows rows = { 0 };
		struct piece pieces[LOCAL_DIGITS];
		struct local_row *row;
		int r = read_table(odb, &ref, level, &rows, pieces);

		if (r < 0)
			return r;
		if (r == 0) {
			ref = pieces[digit_of(name, level)].ref;
			continue;
		}
		row = find_row(&rows, name);
		if (!row)
			return -ENOENT;
		*ret_local = STEAL(row->local);
		return 0;
	}
}

int local_table_find(struct odb *odb, const struct local_ref *table,
		     const char *name, struct local **ret_local)
{
	return find_at(odb, table, 0, name, ret_local);
}

/* ---- writing ---- */

static int write_inner(struct odb *odb, const struct piece *pieces,
		       struct piece *ret)
{
	struct tree_entry entries[LOCAL_DIGITS];
	char names[LOCAL_DIGITS][PIECE_NAME_SIZE];
	size_t count = 0;

	*ret = (struct piece){ .ref.is_tree = true };
	for (unsigned int i = 0; i < LOCAL_DIGITS; i++) {
		if (!pieces[i].count)
			continue;
		snprintf(names[count], PIECE_NAME_SIZE, "%x-%" PRIx64
			 "-%" PRIx64, i, pieces[i].count, pieces[i].own);
		entries[count] = (struct tree_entry){
			.mode = pieces[i].ref.is_tree ? MODE_TREE : MODE_FILE,
			.oid = pieces[i].ref.oid, .name = names[count],
		};
		count++;
		ret->count += pieces[i].count;
		ret->own += pieces[i].own;
	}
	return tree_write(odb, entries, count, &ret->ref.oid);
}

/* Rows of one digit, as they stand in rows, which owns them. */
static size_t select_rows(const struct local_row *row, size_t count,
			  unsigned int level, unsigned int digit,
			  struct local_row *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (digit_of(row[i].name, level) == digit)
			ret[n++] = row[i];
	return n;
}

static int write_rows(struct odb *odb, const struct local_row *row, size_t count,
		      unsigned int level, struct piece *ret)
{
	scoped_free struct local_row *some = NULL;
	struct piece pieces[LOCAL_DIGITS];
	int r = 0;

	*ret = (struct piece){ .count = count };
	for (size_t i = 0; i < count; i++)
		ret->own += local_is_own(row[i].local);
	if (count == 0)
		return 0;
	if (count <= LOCAL_LEAF_MOST || level == LOCAL_LEVEL_MOST)
		return local_leaf_write(odb, row, count, false, &ret->ref);
	some = calloc(count, sizeof(*some));
	if (!some)
		return -ENOMEM;
	for (unsigned int i = 0; r == 0 && i < LOCAL_DIGITS; i++) {
		size_t n = select_rows(row, count, level, i, some);

		r = write_rows(odb, some, n, level + 1, &pieces[i]);
	}
	return r < 0 ? r : write_inner(odb, pieces, ret);
}

/* ---- changing ---- */

static int add_copy(struct local_rows *rows, const struct local_change *change)
{
	if (!change->local)
		return 0;
	return local_rows_add(rows, strdup(change->name), local_copy(change->local));
}

/* Moves old's rows over, with the changes. */
static int merge_rows(struct local_rows *old, const struct local_change *changes,
		      size_t count, struct local_rows *ret)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < old->count || j < count)) {
		int order = i == old->count ? 1 : j == count ? -1 :
			    strcmp(old->row[i].name, changes[j].name);

		if (order < 0)
			r = local_rows_add(ret, STEAL(old->row[i].name),
				    STEAL(old->row[i].local));
		else
			r = add_copy(ret, &changes[j]);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int change_leaf(struct odb *odb, struct local_rows *old, unsigned int level,
		       const struct local_change *changes, size_t count,
		       struct piece *ret)
{
	scoped_rows struct local_rows rows = { 0 };
	int r = merge_rows(old, changes, count, &rows);

	return r < 0 ? r : write_rows(odb, rows.row, rows.count, level, ret);
}

static int take_row(void *context, const char *name, struct local *local)
{
	return local_rows_add(context, strdup(name), local);
}

static int compare_rows(const void *a, const void *b)
{
	const struct local_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* So few are left that one leaf holds them. */
static int collapse(struct odb *odb, const struct piece *pieces,
		    unsigned int level, struct piece *ret)
{
	scoped_rows struct local_rows rows = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < LOCAL_DIGITS; i++)
		r = each(odb, &pieces[i].ref, level + 1, take_row, &rows);
	if (r < 0)
		return r;
	if (rows.count)
		qsort(rows.row, rows.count, sizeof(*rows.row), compare_rows);
	return write_rows(odb, rows.row, rows.count, level, ret);
}

static int change_table(struct odb *odb, const struct local_ref *ref,
			unsigned int level, struct local_change *changes,
			size_t count, struct piece *ret);

static int change_inner(struct odb *odb, struct piece *pieces,
			unsigned int level, const struct local_change *changes,
			size_t count, struct piece *ret)
{
	scoped_free struct local_change *some = calloc(count, sizeof(*some));
	uint64_t total = 0;
	int r = some ? 0 : -ENOMEM;

	for (unsigned int i = 0; r == 0 && i < LOCAL_DIGITS; i++) {
		struct local_ref ref = pieces[i].ref;
		size_t n = 0;

		for (size_t j = 0; j < count; j++)
			if (digit_of(changes[j].name, level) == i)
				some[n++] = changes[j];
		if (n)
			r = change_table(odb, &ref, level + 1, some, n,
					 &pieces[i]);
		total += pieces[i].count;
	}
	if (r < 0)
		return r;
	return total <= LOCAL_LEAF_MOST ? collapse(odb, pieces, level, ret) :
					  write_inner(odb, pieces, ret);
}

/* changes are sorted, and at least one. */
static int change_table(struct odb *odb, const struct local_ref *ref,
			unsigned int level, struct local_change *changes,
			size_t count, struct piece *ret)
{
	scoped_rows struct local_rows rows = { 0 };
	struct piece pieces[LOCAL_DIGITS];
	int r = read_table(odb, ref, level, &rows, pieces);

	if (r == 1)
		return change_leaf(odb, &rows, level, changes, count, ret);
	return r < 0 ? r :
	       change_inner(odb, pieces, level, changes, count, ret);
}

/* How many rows are own, when nothing changes. */
static int count_own(struct odb *odb, const struct local_ref *table,
		     uint64_t *ret_own)
{
	scoped_rows struct local_rows rows = { 0 };
	struct piece pieces[LOCAL_DIGITS];
	uint64_t own = 0;
	int r = read_table(odb, table, 0, &rows, pieces);

	for (size_t i = 0; r == 1 && i < rows.count; i++)
		own += local_is_own(rows.row[i].local);
	for (size_t i = 0; r == 0 && i < LOCAL_DIGITS; i++)
		own += pieces[i].own;
	*ret_own = own;
	return r < 0 ? r : 0;
}

static int compare_changes(const void *a, const void *b)
{
	const struct local_change *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int local_table_change(struct odb *odb, const struct local_ref *table,
		       struct local_change *changes, size_t count,
		       struct local_ref *ret_table, uint64_t *ret_own)
{
	struct piece piece;
	int r;

	if (count == 0) {
		*ret_table = *table;
		return count_own(odb, table, ret_own);
	}
	qsort(changes, count, sizeof(*changes), compare_changes);
	r = change_table(odb, table, 0, changes, count, &piece);
	if (r < 0)
		return r;
	*ret_table = piece.ref;
	*ret_own = piece.own;
	return 0;
}

/* ---- comparing ---- */

struct comparing {
	struct odb *odb;
	local_compare_visit *visit;
	void *context;
};

/* All rows of a table, sorted; r: what read_table said of it. */
static int all_rows(struct odb *odb, int r, const struct piece *pieces,
		    unsigned int level, struct local_rows *rows)
{
	if (r == 1)
		return 0;
	for (size_t i = 0; r == 0 && i < LOCAL_DIGITS; i++)
		r = each(odb, &pieces[i].ref, level + 1, take_row, rows);
	if (r == 0 && rows->count)
		qsort(rows->row, rows->count, sizeof(*rows->row),
		      compare_rows);
	return r;
}

/* 1: they are the same. */
static int are_same(const struct local *a, const struct local *b)
{
	scoped_buffer struct buffer x = { 0 }, y = { 0 };
	int r = local_encode(a, &x);

	if (r == 0)
		r = local_encode(b, &y);
	return r < 0 ? r : x.length == y.length &&
			   memcmp(x.data, y.data, x.length) == 0;
}

/* The rows of a third table, which is read once if it is a leaf. */
struct beside {
	const struct local_ref *ref;
	unsigned int level;
	struct local_rows rows;
	struct piece pieces[LOCAL_DIGITS];
	int read;		/* as of read_table */
};

static int find_beside(struct odb *odb, struct beside *b, const char *name,
		       struct local **ret)
{
	struct local_row *row;
	int r = 0;

	*ret = NULL;
	if (b->read == 0)
		r = find_at(odb, b->ref, b->level, name, ret);
	else if ((row = find_row(&b->rows, name)))
		*ret = STEAL(row->local);
	return r == -ENOENT ? 0 : r;
}

static int visit_pair(struct comparing *c, struct beside *b,
		      struct local_row *from, struct local_row *to)
{
	const char *name = from ? from->name : to->name;
	struct local *other;
	int r = from && to ? are_same(from->local, to->local) : 0;

	if (r)
		return r < 0 ? r : 0;
	r = find_beside(c->odb, b, name, &other);
	if (r < 0)
		return r;
	return c->visit(c->context, name, from ? STEAL(from->local) : NULL,
			to ? STEAL(to->local) : NULL, other);
}

static int compare_leaves(struct comparing *c, struct beside *b,
			  struct local_rows *from, struct local_rows *to)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < from->count || j < to->count)) {
		int order = i == from->count ? 1 : j == to->count ? -1 :
			    strcmp(from->row[i].name, to->row[j].name);

		r = visit_pair(c, b, order <= 0 ? &from->row[i] : NULL,
			       order >= 0 ? &to->row[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int compare_tables(struct comparing *c, const struct local_ref *from,
			  const struct local_ref *to,
			  const struct local_ref *other, unsigned int level)
{
	scoped_rows struct local_rows x = { 0 }, y = { 0 };
	struct piece a[LOCAL_DIGITS], b[LOCAL_DIGITS];
	struct beside beside = { .ref = other, .level = level };
	int r, s, t;

	if (oid_equal(&from->oid, &to->oid))
		return 0;
	r = read_table(c->odb, from, level, &x, a);
	s = r < 0 ? r : read_table(c->odb, to, level, &y, b);
	t = s < 0 ? s : read_table(c->odb, other, level, &beside.rows,
				   beside.pieces);
	beside.read = t;
	if (t >= 0 && (r == 1 || s == 1)) {
		t = all_rows(c->odb, r, a, level, &x);
		if (t == 0)
			t = all_rows(c->odb, s, b, level, &y);
		if (t == 0)
			t = compare_leaves(c, &beside, &x, &y);
	} else if (t >= 0) {
		t = 0;
		for (size_t i = 0; t == 0 && i < LOCAL_DIGITS; i++)
			t = compare_tables(c, &a[i].ref, &b[i].ref,
					   beside.read ? other :
					   &beside.pieces[i].ref, level + 1);
	}
	local_rows_release(&beside.rows);
	return t;
}

int local_table_compare(struct odb *odb, const struct local_ref *from,
			const struct local_ref *to,
			const struct local_ref *other,
			local_compare_visit *visit, void *context)
{
	struct comparing c = {
		.odb = odb, .visit = visit, .context = context,
	};

	return compare_tables(&c, from, to, other, 0);
}

/* ---- roots ---- */

int local_root_read(struct odb *odb, const struct oid *root,
		    struct local **ret_local)
{
	struct local_ref ref = { .oid = *root, .is_tree = true };
	int r;

	if (oid_is_zero(root))
		return -ENOENT;
	r = local_table_find(odb, &ref, "", ret_local);
	return r == -ENOENT ? -EUCLEAN : r;
}

int local_root_write(struct odb *odb, const struct local *local,
		     struct oid *ret_root)
{
	struct local_row row = { (char *)"", (struct local *)local };
	struct local_ref ref;
	int r = local_leaf_write(odb, &row, 1, true, &ref);

	if (r == 0)
		*ret_root = ref.oid;
	return r;
}
