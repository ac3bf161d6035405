// SPDX-License-Identifier: Apache-2.0
// A SQL warehouse that speaks Thrift over HTTP, with the definitions that @databricks/sql ships: as much as a driver
// needs to open a session, run a statement and read its rows. Its query table is the test's.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const thrift = require('thrift');
const Service = require('@databricks/sql/thrift/TCLIService.js');
const T = require('@databricks/sql/thrift/TCLIService_types.js');

const ok = () => new T.TStatus({ statusCode: T.TStatusCode.SUCCESS_STATUS });
const failed = (errorMessage, sqlState) => new T.TStatus({ statusCode: T.TStatusCode.ERROR_STATUS, errorMessage, sqlState });
const uuid = () => Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
const identifier = () => new T.THandleIdentifier({ guid: uuid(), secret: uuid() });
const idOf = (handle) => Buffer.from(handle.guid).toString('hex');

// A column's type in the table -> Thrift's type and where its values go.
const types = {
  string: [T.TTypeId.STRING_TYPE, (values, nulls) => ({ stringVal: new T.TStringColumn({ values: values.map((value) => value ?? ''), nulls }) })],
  int: [T.TTypeId.INT_TYPE, (values, nulls) => ({ i32Val: new T.TI32Column({ values: values.map((value) => value ?? 0), nulls }) })],
  bigint: [T.TTypeId.BIGINT_TYPE, (values, nulls) => ({ i64Val: new T.TI64Column({ values: values.map((value) => value ?? 0), nulls }) })],
  double: [T.TTypeId.DOUBLE_TYPE, (values, nulls) => ({ doubleVal: new T.TDoubleColumn({ values: values.map((value) => value ?? 0), nulls }) })],
  boolean: [T.TTypeId.BOOLEAN_TYPE, (values, nulls) => ({ boolVal: new T.TBoolColumn({ values: values.map((value) => value ?? false), nulls }) })],
};

const nullsOf = (values) => {
  const bits = Buffer.alloc(Math.ceil(values.length / 8));
  values.forEach((value, at) => { if (value === null) bits[at >> 3] |= 1 << (at & 7); });
  return bits;
};

const columnOf = (type, values) => new T.TColumn(types[type][1](values, nullsOf(values)));

const schemaOf = (columns) => new T.TTableSchema({
  columns: columns.map(([columnName, type], at) => new T.TColumnDesc({
    columnName, position: at + 1,
    typeDesc: new T.TTypeDesc({ types: [new T.TTypeEntry({ primitiveEntry: new T.TPrimitiveTypeEntry({ type: types[type][0] }) })] }),
  })),
});

export class ThriftWarehouse {
  asked = [];             // {method, ...}, in order
  sessions = new Map();
  operations = new Map();
  polls = 2;              // a statement runs for so many questions about its state
  pageRows = 1000;        // rows in one answer to FetchResults

  // queries: statement -> {columns: [[name, type]], rows: [[...]]}
  constructor(queries) {
    this.queries = queries;
    const handlers = {};
    for (const method of ['OpenSession', 'CloseSession', 'GetInfo', 'ExecuteStatement', 'GetOperationStatus', 'CancelOperation', 'CloseOperation',
      'GetResultSetMetadata', 'FetchResults']) {
      handlers[method] = (request, done) => {
        this.asked.push({ method, statement: request.statement });
        done(null, this[method](request));
      };
    }
    this.processor = new Service.Processor(handlers);
  }

  OpenSession(request) {
    const sessionId = identifier();
    this.sessions.set(idOf(sessionId), request.configuration ?? {});
    return new T.TOpenSessionResp({ status: ok(), serverProtocolVersion: T.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V6, sessionHandle: new T.TSessionHandle({ sessionId }) });
  }
  CloseSession({ sessionHandle }) {
    return new T.TCloseSessionResp({ status: this.sessions.delete(idOf(sessionHandle.sessionId)) ? ok() : failed('Invalid SessionHandle') });
  }
  GetInfo() {
    return new T.TGetInfoResp({ status: ok(), infoValue: new T.TGetInfoValue({ stringValue: 'Spark SQL' }) });
  }
  ExecuteStatement({ sessionHandle, statement }) {
    if (!this.sessions.has(idOf(sessionHandle.sessionId))) return new T.TExecuteStatementResp({ status: failed('Invalid SessionHandle') });
    const table = this.queries[statement];
    if (!table) return new T.TExecuteStatementResp({ status: failed(`[PARSE_SYNTAX_ERROR] ${statement}`, '42601') });
    const operationId = identifier();
    this.operations.set(idOf(operationId), { table, read: 0, polls: this.polls });
    return new T.TExecuteStatementResp({
      status: ok(), operationHandle: new T.TOperationHandle({ operationId, operationType: T.TOperationType.EXECUTE_STATEMENT, hasResultSet: true }),
    });
  }
  GetOperationStatus({ operationHandle }) {
    const operation = this.operations.get(idOf(operationHandle.operationId));
    if (!operation) return new T.TGetOperationStatusResp({ status: failed('Invalid OperationHandle') });
    const runs = operation.polls-- > 0;
    return new T.TGetOperationStatusResp({ status: ok(), operationState: runs ? T.TOperationState.RUNNING_STATE : T.TOperationState.FINISHED_STATE, hasResultSet: true });
  }
  CancelOperation() { return new T.TCancelOperationResp({ status: ok() }); }
  CloseOperation({ operationHandle }) {
    return new T.TCloseOperationResp({ status: this.operations.delete(idOf(operationHandle.operationId)) ? ok() : failed('Invalid OperationHandle') });
  }
  GetResultSetMetadata({ operationHandle }) {
    const { table } = this.operations.get(idOf(operationHandle.operationId));
    return new T.TGetResultSetMetadataResp({ status: ok(), schema: schemaOf(table.columns), resultFormat: T.TSparkRowSetType.COLUMN_BASED_SET, lz4Compressed: false });
  }
  FetchResults({ operationHandle, maxRows }) {
    const operation = this.operations.get(idOf(operationHandle.operationId));
    const rows = operation.table.rows.slice(operation.read, operation.read + Math.min(Number(maxRows), this.pageRows));
    const startRowOffset = operation.read;
    operation.read += rows.length;
    const columns = operation.table.columns.map(([, type], at) => columnOf(type, rows.map((row) => row[at])));
    return new T.TFetchResultsResp({
      status: ok(), hasMoreRows: operation.read < operation.table.rows.length, results: new T.TRowSet({ startRowOffset, rows: [], columns, columnCount: columns.length }),
    });
  }

  // For WorkspaceDouble.on().
  handler = async (x) => {
    const body = await x.body();
    if (!x.complete) return;
    if (x.method !== 'POST' || x.header('content-type') !== 'application/x-thrift') return x.respond(400, [], 'Thrift comes by POST');
    const reply = await new Promise((resolve, reject) => {
      const out = new thrift.TBufferedTransport(undefined, resolve);
      thrift.TBufferedTransport.receiver((input) => {
        try {
          this.processor.process(new thrift.TBinaryProtocol(input), new thrift.TBinaryProtocol(out));
        } catch (error) { reject(error); }
      })(body);
    });
    await x.respond(200, [['Content-Type', 'application/x-thrift']], reply);
  };
}
