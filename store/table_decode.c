/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/table.h"
#include "store/table_text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A new allocation. */
static int get_text(const char *escaped_text, char **ret_text)
{
	char *text = malloc(strlen(escaped_text) + 1), *to = text;

	if (!text)
		return -ENOMEM;
	for (const char *p = escaped_text; *p; p++) {
		int high = 0, low = 0;

		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		high = hex_value(*++p);
		low = high < 0 ? -1 : hex_value(*++p);
		if (low < 0 || (high == 0 && low == 0)) {
			free(text);
			return -EUCLEAN;
		}
		*to++ = (char)(high << 4 | low);
	}
	*to = '\0';
	*ret_text = text;
	return 0;
}

/* hex NULL: the zero id. */
static int get_oid(const char *hex, struct oid *ret)
{
	*ret = (struct oid){ 0 };
	return hex && oid_parse(hex, ret) < 0 ? -EUCLEAN : 0;
}

/* json_unpack that takes no other keys than those of format. */
#define UNPACK(json, ...) \
	(json_unpack_ex(json, NULL, JSON_STRICT, __VA_ARGS__) < 0 ? -EUCLEAN : 0)

static int get_branch(const json_t *json, struct table *table)
{
	const char *name_text, *head_hex, *outside_hex = NULL, *local_hex = NULL;
	json_int_t incarnation, dropped = 0;
	scoped_free char *name = NULL;
	struct oid head, outside, local;
	struct table_branch *branch;
	int r = UNPACK((json_t *)json, "{s:I, s:s, s:s, s?:s, s?:s, s?:I}",
		       "incarnation", &incarnation, "name", &name_text,
		       "head", &head_hex, "outside", &outside_hex, "local",
		       &local_hex, "dropped", &dropped);

	if (r == 0)
		r = get_text(name_text, &name);
	if (r == 0)
		r = get_oid(head_hex, &head);
	if (r == 0)
		r = get_oid(outside_hex, &outside);
	if (r == 0)
		r = get_oid(local_hex, &local);
	if (r < 0)
		return r;
	if (!*name || dropped < 0 || incarnation <= 0 ||
	    (uint64_t)incarnation >= table->next_incarnation ||
	    (table->branch_count &&
	     (uint64_t)incarnation <=
		     table->branches[table->branch_count - 1].incarnation))
		return -EUCLEAN;
	branch = table_add(table, incarnation, name, &head);
	if (!branch)
		return -ENOMEM;
	branch->outside = outside;
	branch->local = local;
	branch->dropped = dropped;
	return 0;
}

static int get_gone(const json_t *json, struct table *table)
{
	const char *name_text, *outside_hex = NULL;
	scoped_free char *name = NULL;
	struct oid outside;
	int r = UNPACK((json_t *)json, "{s:s, s?:s}", "name", &name_text,
		       "outside", &outside_hex);

	if (r == 0)
		r = get_text(name_text, &name);
	if (r == 0)
		r = get_oid(outside_hex, &outside);
	if (r < 0)
		return r;
	if (!*name || table_find_gone(table, name))
		return -EUCLEAN;
	return table_add_gone(table, name, &outside);
}

static int get_side(json_t *json, uint32_t *ret_mode, struct oid *ret_oid)
{
	const char *hex = NULL;
	json_int_t mode;
	int r;

	if (!json)
		return 0;
	r = UNPACK(json, "{s:I, s?:s}", "mode", &mode, "oid", &hex);
	if (r < 0)
		return r;
	if (mode <= 0 || mode > 0777777)
		return -EUCLEAN;
	*ret_mode = mode;
	return get_oid(hex, ret_oid);
}

static int get_conflict(json_t *json, struct conflict_report *report)
{
	json_t *base = NULL, *ours = NULL, *theirs = NULL, *merged = NULL,
	       *suggested = NULL;
	const char *path, *reason;
	json_int_t number;
	int resolved = 0;
	struct conflict *c = conflict_report_add(report);
	int r = c ? 0 : -ENOMEM;

	if (r == 0)
		r = UNPACK(json, "{s:I, s:s, s:s, s?:b, s?:o, s?:o, s?:o, s?:o,"
			   "s?:o}", "number", &number, "path", &path, "reason",
			   &reason, "resolved", &resolved, "base", &base,
			   "ours", &ours, "theirs", &theirs, "merged", &merged,
			   "suggested", &suggested);
	if (r == 0 && (number < 0 || number > UINT32_MAX))
		r = -EUCLEAN;
	if (r == 0)
		r = get_text(path, &c->path);
	if (r == 0)
		r = get_text(reason, &c->reason);
	if (r == 0)
		r = get_side(base, &c->base.mode, &c->base.oid);
	if (r == 0)
		r = get_side(ours, &c->ours.mode, &c->ours.oid);
	if (r == 0)
		r = get_side(theirs, &c->theirs.mode, &c->theirs.oid);
	if (r == 0)
		r = get_side(merged, &c->merged.mode, &c->merged.oid);
	if (r == 0)
		r = get_side(suggested, &c->suggested.mode, &c->suggested.oid);
	if (r == 0) {
		c->number = number;
		c->resolved = resolved;
	}
	return r;
}

static int get_conflicts(json_t *json, struct conflict_report *report)
{
	json_t *element;
	size_t i;
	int r;

	if (!json_is_array(json))
		return -EUCLEAN;
	json_array_foreach(json, i, element) {
		r = get_conflict(element, report);
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_report(const json_t *json, struct table *table)
{
	const char *name, *ours = NULL, *theirs = NULL;
	json_int_t source, target;
	json_t *conflicts;
	struct conflict_report *report = conflict_report_new();
	size_t before = table->report_count;
	int r = report ? 0 : -ENOMEM;

	if (r == 0)
		r = UNPACK((json_t *)json, "{s:I, s:I, s:s, s?:s, s?:s, s:o}",
			   "source", &source, "target", &target, "target_name",
			   &name, "ours", &ours, "theirs", &theirs,
			   "conflicts", &conflicts);
	if (r == 0)
		r = get_text(name, &report->target_name);
	if (r == 0)
		r = get_oid(ours, &report->ours);
	if (r == 0)
		r = get_oid(theirs, &report->theirs);
	if (r == 0)
		r = get_conflicts(conflicts, report);
	if (r < 0) {
		conflict_report_free(report);
		return r;
	}
	r = table_set_report(table, source, target, report);
	/* a second one of a pair would have replaced the first */
	return r == 0 && table->report_count == before ? -EUCLEAN : r;
}

static int get_head(json_t *json, struct table *table)
{
	const char *from, *to;
	int r;

	if (!json)
		return 0;
	r = UNPACK(json, "{s:s, s:s}", "from", &from, "to", &to);
	if (r == 0)
		r = get_text(from, &table->head_from);
	if (r == 0)
		r = get_text(to, &table->head_to);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_names(const struct table *table)
{
	scoped_free const char **names =
		calloc(table->branch_count + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < table->branch_count; i++)
		if (!table->branches[i].dropped)
			names[count++] = table->branches[i].name;
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return -EUCLEAN;
	return 0;
}

typedef int get_function(const json_t *json, struct table *table);

static int get_array(const json_t *array, struct table *table,
		     get_function *get)
{
	json_t *element;
	size_t i;
	int r;

	if (!json_is_array(array))
		return -EUCLEAN;
	json_array_foreach(array, i, element) {
		r = get(element, table);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- journal ---- */

static int get_held(const json_t *json, struct table *table)
{
	json_int_t sequence;
	int r = UNPACK((json_t *)json, "{s:I}", "sequence", &sequence);

	if (r < 0 || sequence <= 0)
		return -EUCLEAN;
	return table_add_held(table, sequence);
}

static int get_contents(const json_t *json, struct table *table)
{
	struct table_contents contents;
	json_int_t id, version, size;
	int is_local = 0;
	const char *hex;
	int r = UNPACK((json_t *)json, "{s:I, s:I, s:s, s:I, s?:b}", "id", &id,
		       "version", &version, "oid", &hex, "size", &size,
		       "local", &is_local);

	if (r < 0 || id <= 0 || version < 0 || size < 0 ||
	    get_oid(hex, &contents.oid) < 0)
		return -EUCLEAN;
	contents.id = id;
	contents.version = version;
	contents.size = size;
	contents.is_local = is_local;
	return table_add_contents(table, &contents);
}

static int get_journal(json_t *json, struct table *table)
{
	json_t *held, *contents;
	json_int_t epoch, published;
	int r;

	if (!json)
		return 0;
	r = UNPACK(json, "{s:I, s:I, s:o, s:o}", "epoch", &epoch, "published",
		   &published, "held", &held, "contents", &contents);
	if (r == 0 && (epoch <= 0 || published < 0))
		r = -EUCLEAN;
	if (r < 0)
		return r;
	table->journal.epoch = epoch;
	table->journal.published = published;
	r = get_array(held, table, get_held);
	return r < 0 ? r : get_array(contents, table, get_contents);
}

static int get_table(json_t *json, struct table *table)
{
	json_t *branches, *gone, *reports, *head = NULL, *journal = NULL;
	json_int_t version, next;
	int r;

	if (json_unpack(json, "{s:I}", "version", &version) < 0)
		return -EUCLEAN;
	if (version > TABLE_VERSION)
		return -ENOTSUP;
	if (version < TABLE_VERSION_OLDEST)
		return -EUCLEAN;
	r = UNPACK(json, "{s:I, s:I, s:o, s:o, s?:o, s:o, s?:o}", "version",
		   &version, "next_incarnation", &next, "branches", &branches,
		   "gone", &gone, "head", &head, "reports", &reports,
		   "journal", &journal);
	if (r == 0 && next <= 0)
		r = -EUCLEAN;
	if (r < 0)
		return r;
	table->next_incarnation = next;
	r = get_array(branches, table, get_branch);
	if (r == 0)
		r = check_names(table);
	if (r == 0)
		r = get_array(gone, table, get_gone);
	if (r == 0)
		r = get_head(head, table);
	if (r == 0)
		r = get_array(reports, table, get_report);
	if (r == 0)
		r = get_journal(journal, table);
	return r;
}

/* Length of what the checksum line is about. */
static int check_trailer(const char *text, size_t size, size_t *ret_length)
{
	size_t length = size - TABLE_TRAILER_LENGTH;
	char expected[TABLE_TRAILER_LENGTH + 1];

	if (size < TABLE_TRAILER_LENGTH)
		return -EUCLEAN;
	snprintf(expected, sizeof(expected), TABLE_TRAILER "%016" PRIx64 "\n",
		 checksum64(text, length, 0));
	if (memcmp(text + length, expected, TABLE_TRAILER_LENGTH) != 0)
		return -EUCLEAN;
	*ret_length = length;
	return 0;
}

int table_decode(const char *text, size_t size, struct table **ret_table)
{
	struct table *table;
	json_t *json;
	size_t length;
	int r = check_trailer(text, size, &length);

	if (r < 0)
		return r;
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		return -EUCLEAN;
	table = table_new();
	r = table ? get_table(json, table) : -ENOMEM;
	json_decref(json);
	if (r < 0) {
		table_free(table);
		return r;
	}
	*ret_table = table;
	return 0;
}
